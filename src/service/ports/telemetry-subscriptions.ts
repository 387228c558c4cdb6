import type { EventName } from "../../domain/event.ts";
import type { EndpointFault } from "../../domain/events-error.ts";

export type SubscriptionTelemetry =
  | {
      readonly kind: "subscription.created" | "subscription.refreshed";
      readonly subscriptionId: string;
      readonly name: EventName;
      readonly taskId: string | null;
      readonly expiresAt: number | null;
      /** Deliveries that are due now: replayed, or held until now. */
      readonly dueNow: number;
    }
  | {
      readonly kind: "subscription.ended";
      readonly subscriptionId: string;
      /** given up: it has no end, and its receiver has failed for as long as history is kept. */
      readonly why: "unsubscribed" | "revoked" | "given up";
    }
  /** The URL did not echo the challenge. */
  | { readonly kind: "subscription.refused"; readonly subscriptionId: string; readonly why: EndpointFault };
