import type { Outcome } from "../../domain/attempt.ts";
import type { DeliveryReason } from "../../domain/delivery.ts";
import type { EventType } from "../../domain/event.ts";

export type DeliveryTelemetry =
  | ({ readonly kind: "delivery.sending"; readonly attempt: number } & DeliveryIdentity)
  | ({
      readonly kind: "delivery.attempted";
      readonly attempt: number;
      readonly durationMs: number;
      readonly outcome: Pick<Outcome, "statusCode" | "error">;
      readonly next: NextAfterAttempt;
      /** Of `retry`; null: any other. */
      readonly waitMs: number | null;
    } & DeliveryIdentity)
  /** Its time was over before it was delivered. `attempts`: those made before. */
  | ({
      readonly kind: "delivery.expired";
      readonly attempts: number;
      readonly reason: DeliveryReason;
    } & DeliveryIdentity)
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
  | { readonly kind: "origin.circuit_opened"; readonly origin: string }
  /** The origin has answered: its circuit is closed. */
  | { readonly kind: "origin.circuit_closed"; readonly origin: string };

/**
 * What follows an attempt. held: it failed, and the delivery waits until its callback is enabled. redelivered: it failed, and a redelivery was
 * requested meanwhile, so the delivery is due now. withdrawn: its claim was void.
 */
export type NextAfterAttempt = "delivered" | "retry" | "held" | "redelivered" | "gave_up" | "withdrawn";

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
