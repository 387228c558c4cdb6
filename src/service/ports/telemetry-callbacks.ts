import type { AttemptError } from "../../domain/attempt.ts";
import type { DisabledReason } from "../../domain/callback-health.ts";

/** `taskId` is the client's; null: the callback is a subscription to all tasks. */
export type CallbackTelemetry =
  | {
      readonly kind: "callback.registered";
      readonly callbackId: string;
      readonly taskId: string;
      readonly clientId: string;
    }
  | {
      readonly kind: "callback.removed";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly cancelledCount: number;
    }
  | {
      readonly kind: "callback.enabled";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly resumedCount: number;
    }
  | {
      readonly kind: "callback.disabled";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly reason: DisabledReason;
      readonly failingSince: number;
      /** Of the last attempt. */
      readonly error: AttemptError | null;
      readonly heldCount: number;
    }
  | {
      readonly kind: "callback.tested";
      readonly callbackId: string;
      readonly clientId: string;
      readonly statusCode: number | null;
      readonly error: AttemptError | null;
      readonly durationMs: number;
    }
  | {
      readonly kind: "callback.secret_rotated";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      /** Until when an older secret signs too; null: none does. */
      readonly overlapEnd: number | null;
    };
