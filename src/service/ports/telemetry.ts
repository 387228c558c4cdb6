import type { Outcome } from "../../domain/attempt.ts";
import type { EventType } from "../../domain/event.ts";
import type { TaskOutcome } from "../../domain/task.ts";
import type { CallbackTelemetry } from "./callback-store.ts";
import type { MaintenanceTelemetry } from "./maintenance-store.ts";
import type { SubscriptionTelemetry } from "./subscription-store.ts";
import type { UpstreamTelemetry } from "./upstream-telemetry.ts";
import type { WorkerTelemetry } from "./lease-store.ts";

/** What happened, told once in one wide event; whoever listens logs and counts. Never a secret, a payload or a URL's query. */
export type Emit = (event: TelemetryEvent) => void;

export type TelemetryEvent =
  | CallbackTelemetry
  | MaintenanceTelemetry
  | SubscriptionTelemetry
  | UpstreamTelemetry
  | WorkerTelemetry
  | { readonly kind: "task.started"; readonly taskId: string; readonly taskType: string; readonly clientId: string }
  | { readonly kind: "task.running"; readonly taskId: string; readonly taskType: string; readonly runCount: number }
  | {
      readonly kind: "task.finished";
      readonly taskId: string;
      readonly status: TaskOutcome["status"];
      readonly eventId: string;
      readonly deliveryCount: number;
    }
  /** A run has failed, and there will be another one. */
  | {
      readonly kind: "task.retrying";
      readonly taskId: string;
      readonly taskType: string;
      readonly runCount: number;
      readonly error: string;
      readonly waitMs: number;
    }
  /** In the words of the handler. */
  | {
      readonly kind: "task.logged";
      readonly level: "info" | "warn" | "error";
      readonly taskId: string;
      readonly taskType: string;
      readonly message: string;
    }
  | {
      readonly kind: "callback.registered";
      readonly callbackId: string;
      readonly taskId: string;
      readonly clientId: string;
    }
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
  /** Its callback's not_after came first; `attempts` were made before. */
  | ({ readonly kind: "delivery.expired"; readonly attempts: number } & DeliveryIdentity)
  | { readonly kind: "event.settled"; readonly eventId: string; readonly taskId: string }
  /** The origin keeps failing and gets one probe at a time from now on; or it has answered one, and all is in order again. */
  | { readonly kind: "origin.slowed"; readonly origin: string }
  | { readonly kind: "origin.recovered"; readonly origin: string }
  | {
      readonly kind: "inbox.received";
      readonly clientId: string;
      readonly type: string;
      readonly taskId: string | null;
    }
  /** Clients add some to every call; the names are of a fixed list. */
  | { readonly kind: "tool.arguments_ignored"; readonly tool: string; readonly names: readonly string[] }
  | { readonly kind: "work.recovered"; readonly tasks: number; readonly deliveries: number }
  | {
      readonly kind: "http.request";
      readonly remoteAddress: string;
      readonly method: string;
      readonly path: string;
      readonly status: number;
      readonly durationMs: number;
    }
  /** For a header that `setting` could accept: once for each name, until `isLast`. */
  | {
      readonly kind: "request.refused";
      readonly header: "Host" | "Origin";
      readonly name: string;
      readonly setting: string;
      readonly isLast: boolean;
    }
  | { readonly kind: "internal.failed"; readonly where: string; readonly error: unknown };

export interface DeliveryIdentity {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly event: EventType;
  readonly taskId: string;
  readonly clientId: string;
  /** Without its query, which may hold a token. */
  readonly url: string;
}
