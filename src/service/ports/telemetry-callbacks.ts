import type { AttemptError } from "../../domain/attempt.ts";
import type { DisabledReason } from "../../domain/callback-health.ts";

export interface CallbackIdentity {
  readonly principal: string;
  readonly callbackId: string;
  /** The client's; null: the callback is a subscription to all tasks. */
  readonly taskId: string | null;
  readonly clientId: string;
}

export type CallbackTelemetry = CallbackIdentity &
  (
    | { readonly kind: "callback.registered" }
    | { readonly kind: "callback.removed"; readonly cancelledCount: number }
    | { readonly kind: "callback.enabled"; readonly resumedCount: number }
    | {
        readonly kind: "callback.disabled";
        readonly reason: DisabledReason;
        readonly failingSince: number;
        /** Of the last attempt. */
        readonly error: AttemptError | null;
        readonly heldCount: number;
      }
    | {
        readonly kind: "callback.tested";
        readonly statusCode: number | null;
        readonly error: AttemptError | null;
        readonly durationMs: number;
      }
    /** `overlapEnd`: until when an older secret signs too; null: none does. */
    | { readonly kind: "callback.secret_rotated"; readonly overlapEnd: number | null }
  );
