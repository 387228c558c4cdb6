import type { Outcome } from "../../domain/attempt.ts";
import type { EventType } from "../../domain/event.ts";

export type DeliveryTelemetry =
  | ({ readonly kind: "delivery.sending"; readonly attempt: number } & DeliveryIdentity)
  | ({
      readonly kind: "delivery.attempted";
      readonly attempt: number;
      readonly durationMs: number;
      readonly outcome: Pick<Outcome, "statusCode" | "error">;
      /** held: it waits until its callback is enabled. */
      readonly next: "delivered" | "retry" | "held" | "gave_up" | "withdrawn";
      /** For `retry`. */
      readonly waitMs: number | null;
    } & DeliveryIdentity)
  /** The callback's not_after has come. `attempts`: those made before. */
  | ({ readonly kind: "delivery.expired"; readonly attempts: number } & DeliveryIdentity)
  | { readonly kind: "deliveries.redelivered"; readonly principal: string; readonly count: number }
  /** No delivery of the event is open any more. */
  | {
      readonly kind: "event.settled";
      readonly principal: string;
      readonly eventId: string;
      /** The client's. */
      readonly taskId: string;
    }
  /** The origin keeps failing: its circuit is open, and one request at a time probes it. */
  | { readonly kind: "origin.slowed"; readonly origin: string }
  /** The origin has answered: its circuit is closed. */
  | { readonly kind: "origin.recovered"; readonly origin: string };

export interface DeliveryIdentity {
  readonly principal: string;
  readonly deliveryId: string;
  readonly callbackId: string;
  readonly eventId: string;
  readonly event: EventType;
  /** The client's. */
  readonly taskId: string;
  readonly clientId: string;
  /** Its origin and `/…`: path and query may be credentials. Of the built-in test receiver with the path. */
  readonly url: string;
}
