import type { Callback } from "../domain/callback.ts";
import { DomainError } from "../domain/errors.ts";
import { generateSecret, requireSecret } from "../domain/signature.ts";
import { noSuchCallback } from "./callbacks.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";
import type { CallbackStore } from "./ports/callback-store.ts";

const HOUR_MS = 3_600_000;
export const OVERLAP_HOURS_DEFAULT = 24;
export const OVERLAP_HOURS_MAX = 168;

export interface SecretsParts {
  readonly store: CallbackStore;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface Secrets {
  /** Gives a callback a new signing secret. The same secret again changes nothing and returns the same answer. */
  rotate(principal: string, request: RotateRequest): Promise<Rotated>;
}

export interface RotateRequest {
  readonly callbackId: string;
  /** Left out: a new one is generated. */
  readonly secret?: string | undefined;
  /** From 0 to 168. */
  readonly overlapHours?: number | undefined;
}

export interface Rotated {
  readonly callback: Callback;
  /** Epoch ms until which an older secret signs too; null: no older secret signs. */
  readonly overlapEnd: number | null;
}

export function createSecrets({ store, clock, emit }: SecretsParts): Secrets {
  return {
    async rotate(principal, request) {
      const { callbackId, overlapHours = OVERLAP_HOURS_DEFAULT } = request;
      const secret = request.secret === undefined ? generateSecret() : requireSecret(request.secret);
      const overlapMs = Math.round(overlapHours * HOUR_MS);
      const result = await store.rotateSecret({ principal, callbackId, secret, overlapMs, now: clock.now() });
      if (result.kind === "not_found") throw noSuchCallback(callbackId);
      if (result.kind === "removed") throw removedCallback(callbackId);
      if (result.kind === "subscription") throw secretOfSubscription(callbackId);
      const { kind, callback, overlapEnd } = result;
      if (kind === "rotated") {
        const { taskId, clientId } = callback;
        emit({ kind: "callback.secret_rotated", principal, callbackId, taskId, clientId, overlapEnd });
      }
      return { callback, overlapEnd };
    },
  };
}

function secretOfSubscription(callbackId: string): DomainError {
  return new DomainError(
    "conflict",
    `Callback ${callbackId} is a subscription of MCP Events: its client gives it a new secret with events/subscribe.`,
  );
}

function removedCallback(callbackId: string): DomainError {
  return new DomainError("conflict", `Callback ${callbackId} was removed, so nothing is signed for it any more.`);
}
