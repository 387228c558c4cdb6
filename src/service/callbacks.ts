import type { Callback } from "../domain/callback.ts";
import type { DisabledReason } from "../domain/callback-health.ts";
import { DomainError } from "../domain/errors.ts";
import type { EndType } from "../domain/event.ts";
import type { Emit } from "./ports/telemetry.ts";
import type {
  CallbackKey,
  CallbackStore,
  EnableCallbackResult,
  FoundCallback,
  UnregisterCallbackResult,
} from "./ports/callback-store.ts";
import type { Clock } from "./ports/clock.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";
import { prepareRegistration, refusedRegistration } from "./registration.ts";
import type { RegisterRequest } from "./registration.ts";

export interface CallbacksParts {
  readonly store: CallbackStore;
  readonly clock: Clock;
  readonly targetPolicy: TargetPolicy;
  readonly emit: Emit;
}

export interface Callbacks {
  /** Registers a URL for a task that runs, has ended or does not exist yet. The same registration again returns the same callback. */
  register(principal: string, request: RegisterRequest): Promise<Registered>;
  /** With the secrets that sign for it. Throws `not_found`. */
  find(principal: string, callbackId: string): Promise<FoundCallback>;
  /** No request to it starts once this resolves; one that is running may still arrive. The same call again changes nothing. */
  unregister(principal: string, key: CallbackKey): Promise<UnregisterCallbackResult>;
  /** Activates a disabled callback. Its held deliveries are sent now; those that a 410 cancelled stay cancelled until they are redelivered. */
  enable(principal: string, callbackId: string): Promise<EnableCallbackResult>;
}

export interface Registered {
  readonly callback: Callback;
  /** False: the same callback was registered already. */
  readonly isNew: boolean;
  readonly callbackCount: number;
  /** Null: the task has not ended. Otherwise the event of its end, and whether this callback has selected it. */
  readonly ended: { readonly event: EndType; readonly selected: boolean } | null;
}

/** The rest of a sentence after "it is disabled, since". */
export const WHY_DISABLED: Record<DisabledReason, string> = {
  gone: "its receiver answered 410 Gone",
  failing: "its attempts kept failing",
};

export function createCallbacks({ store, clock, targetPolicy, emit }: CallbacksParts): Callbacks {
  return {
    async register(principal, request) {
      const { taskId, clientId } = request;
      const now = clock.now();
      const prepared = await prepareRegistration(request, targetPolicy, now);
      const result = await store.registerCallback({ principal, ...prepared, now });
      if (result.kind === "conflict" || result.kind === "limit") throw refusedRegistration(result, taskId);
      const { callback, callbackCount, ended } = result;
      const isNew = result.kind === "registered";
      if (isNew) emit({ kind: "callback.registered", principal, callbackId: callback.id, taskId, clientId });
      const selected = ended !== null && callback.events.includes(ended);
      return { callback, isNew, callbackCount, ended: ended === null ? null : { event: ended, selected } };
    },

    async find(principal, callbackId) {
      const found = await store.findCallback({ principal, callbackId, now: clock.now() });
      if (found === null) throw noSuchCallback(callbackId);
      return found;
    },

    async unregister(principal, key) {
      const result = await store.unregisterCallback({ principal, callback: key, now: clock.now() });
      if (result === null) throw noSuchCallback("callbackId" in key ? key.callbackId : null);
      const { removedNow, cancelledCount } = result;
      const { id: callbackId, taskId, clientId } = result.callback;
      if (removedNow) emit({ kind: "callback.removed", principal, callbackId, taskId, clientId, cancelledCount });
      return result;
    },

    async enable(principal, callbackId) {
      const result = await store.enableCallback({ principal, callbackId, now: clock.now() });
      if (result === null) throw noSuchCallback(callbackId);
      const { callback, enabled } = result;
      if (callback.status === "removed") throw removedCallback(callbackId);
      const { taskId, clientId } = callback;
      if (enabled !== null) {
        const { resumedCount } = enabled;
        emit({ kind: "callback.enabled", principal, callbackId, taskId, clientId, resumedCount });
      }
      return result;
    },
  };
}

/** The same error for a callback of another principal. `callbackId`: null when the caller gave task, client and URL. */
export function noSuchCallback(callbackId: string | null): DomainError {
  const what = callbackId === null ? "of this task_id, client_id and callback_url" : callbackId;
  return new DomainError(
    "not_found",
    `There is no callback ${what}; get_registered_callbacks lists the callbacks of a task.`,
  );
}

function removedCallback(callbackId: string): DomainError {
  return new DomainError(
    "conflict",
    `Callback ${callbackId} was removed; register the same callback again to have it back.`,
  );
}
