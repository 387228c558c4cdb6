import type { EventName } from "../../domain/event.ts";
import type { EndpointFault } from "../../domain/events-error.ts";

export interface SubscriptionIdentity {
  readonly principal: string;
  readonly subscriptionId: string;
}

export type SubscriptionTelemetry = SubscriptionIdentity &
  (
    | {
        readonly kind: "subscription.created" | "subscription.refreshed";
        readonly name: EventName;
        readonly taskId: string | null;
        readonly expiresAt: number | null;
        /** Deliveries that are due now: replayed, or held until now. */
        readonly dueNow: number;
      }
    /** given up: it has no end, and its receiver has failed for as long as history is kept. */
    | { readonly kind: "subscription.ended"; readonly why: "unsubscribed" | "revoked" | "given up" }
    /** The URL did not echo the challenge. */
    | { readonly kind: "subscription.refused"; readonly why: EndpointFault }
  );
