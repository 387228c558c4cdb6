import type { Callback } from "../domain/callback.ts";
import type { DisabledReason } from "../domain/callback-health.ts";
import { DomainError } from "../domain/errors.ts";
import type { EndType } from "../domain/event.ts";
import type { Emit } from "./ports/telemetry.ts";
import type {
  CallbackKey,
  EnableCallbackResult,
  UnregisterCallbackResult,
  CallbackStore,
} from "./ports/callback-store.ts";
import type { Clock } from "./ports/clock.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";
import { prepareRegistration, refusedRegistration } from "./registration.ts";
import type { RegisterRequest } from "./registration.ts";

export interface CallbacksNeeds {
  readonly store: CallbackStore;
  readonly clock: Pick<Clock, "now">;
  readonly targetPolicy: TargetPolicy;
  readonly emit: Emit;
}

export interface Registered {
  readonly callback: Callback;
  /** False: the very same callback was there already. */
  readonly isNew: boolean;
  readonly callbackCount: number;
  /** Null: the task has not ended. Otherwise its end, and whether this callback chose to hear of it. */
  readonly ended: { readonly event: EndType; readonly selected: boolean } | null;
}

export type Callbacks = ReturnType<typeof createCallbacks>;

/** After "it is disabled, since". */
export const WHY_DISABLED: Record<DisabledReason, string> = {
  gone: "its receiver answered 410 Gone",
  failing: "its attempts kept failing",
};

export function createCallbacks({ store, clock, targetPolicy, emit }: CallbacksNeeds) {
  return {
    /** Registers a URL for a task that runs, has ended or does not exist yet. The same again answers the same callback. */
    async register(principal: string, request: RegisterRequest): Promise<Registered> {
      const { taskId, clientId } = request;
      const now = clock.now();
      const prepared = await prepareRegistration(request, targetPolicy, now);
      const result = await store.registerCallback({ principal, ...prepared, now });
      if (result.kind === "conflict" || result.kind === "limit") throw refusedRegistration(result, taskId);
      const { callback, callbackCount, ended } = result;
      const isNew = result.kind === "registered";
      if (isNew) emit({ kind: "callback.registered", callbackId: callback.id, taskId, clientId });
      const selected = ended !== null && callback.events.includes(ended);
      return { callback, isNew, callbackCount, ended: ended === null ? null : { event: ended, selected } };
    },

    /** Nothing new is sent to it once this resolves; a request that is under way by then may still arrive. Twice is as once. */
    async unregister(principal: string, key: CallbackKey): Promise<UnregisterCallbackResult> {
      const result = await store.unregisterCallback({ principal, callback: key, now: clock.now() });
      if (result === null) throw noSuchCallback("callbackId" in key ? key.callbackId : null);
      const { removedNow, cancelledCount } = result;
      const { id: callbackId, taskId, clientId } = result.callback;
      if (removedNow) emit({ kind: "callback.removed", callbackId, taskId, clientId, cancelledCount });
      return result;
    },

    /** Makes a disabled callback active again. What waited for it is sent now; what a 410 had cancelled stays so until it is redelivered. */
    async enable(principal: string, callbackId: string): Promise<EnableCallbackResult> {
      const result = await store.enableCallback({ principal, callbackId, now: clock.now() });
      if (result === null) throw noSuchCallback(callbackId);
      const { callback, enabled } = result;
      if (callback.status === "removed") throw removedCallback(callbackId);
      const { taskId, clientId } = callback;
      if (enabled !== null) {
        const { resumedCount } = enabled;
        emit({ kind: "callback.enabled", callbackId, taskId, clientId, resumedCount });
      }
      return result;
    },
  };
}

/** The same for a stranger's callback as for none. `callbackId`: null when it was asked for by task, client and URL. */
export function noSuchCallback(callbackId: string | null): DomainError {
  const what = callbackId === null ? "of this task_id, client_id and callback_url" : callbackId;
  return new DomainError("not_found", `There is no callback ${what}; get_registered_callbacks lists those of a task.`);
}

function removedCallback(callbackId: string): DomainError {
  return new DomainError(
    "conflict",
    `Callback ${callbackId} was removed; register the same callback again to have it back.`,
  );
}
