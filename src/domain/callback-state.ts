/** The changes of a callback's status and health, one function each. A store reads the row, calls one, and writes the result. Times are epoch ms. */
import type { AttemptError } from "./attempt.ts";
import { shouldDisable } from "./callback-health.ts";
import type { CallbackHealth, DisabledReason, DisablePolicy } from "./callback-health.ts";
import type { CallbackStatus } from "./callback.ts";
import { GONE } from "./delivery.ts";
import { isExpired } from "./not-after.ts";

export interface CallbackState extends CallbackHealth {
  readonly status: CallbackStatus;
  /** When an attempt last got through. It is kept for subscriptions; that of any other callback is read from its attempts. */
  readonly lastDeliveryAt: number | null;
}

/** Of a callback that is new, enabled, or registered again. */
export const IN_ORDER: CallbackHealth = {
  failingSince: null,
  failures: 0,
  lastError: null,
  disabledReason: null,
  disabledAt: null,
};

/** An attempt whose claim was current. */
export interface AttemptResult {
  readonly error: AttemptError | null;
  readonly statusCode: number | null;
  /** The receiver answered 410, which ends the callback. Otherwise a 410 ends one delivery and says nothing of the callback. */
  readonly isGone: boolean;
  readonly endedAt: number;
}

export interface HealthAfter {
  readonly state: CallbackState;
  /** What becomes of the callback's open deliveries: `held`, `withdrawn` and `resumed` of delivery-state.ts; null: nothing. */
  readonly deliveries: "hold" | "withdraw" | "resume" | null;
  /** The status that the attempt has changed it to; null: it has the status that it had. */
  readonly became: "disabled" | "active" | null;
}

/** After an attempt. `policy` null: failures alone never disable the callback. */
export function healthAfter(
  callback: CallbackState,
  attempt: AttemptResult,
  policy: DisablePolicy | null,
): HealthAfter {
  const { error, statusCode, isGone, endedAt } = attempt;
  if (error === null) return afterSuccess(callback, endedAt);
  if (statusCode === GONE && !isGone) return { state: callback, deliveries: null, became: null };
  const failing = {
    ...callback,
    failingSince: callback.failingSince ?? endedAt,
    failures: callback.failures + 1,
    lastError: error,
  };
  if (isGone) return { state: disabled(failing, "gone", endedAt), deliveries: "withdraw", became: "disabled" };
  // An attempt that was under way when the callback was disabled: its delivery is held with the others.
  if (callback.status === "disabled") return { state: failing, deliveries: "hold", became: null };
  if (policy === null || !shouldDisable(failing, endedAt, policy))
    return { state: failing, deliveries: null, became: null };
  return { state: disabled(failing, "failing", endedAt), deliveries: "hold", became: "disabled" };
}

/** An attempt that was under way when the callback was disabled enables it. */
function afterSuccess(callback: CallbackState, endedAt: number): HealthAfter {
  if (callback.status === "disabled")
    return { state: { ...enabled(callback), lastDeliveryAt: endedAt }, deliveries: "resume", became: "active" };
  const inOrder = { failingSince: null, failures: 0, lastError: null, lastDeliveryAt: endedAt };
  return { state: { ...callback, ...inOrder }, deliveries: null, became: null };
}

/** A disabled callback, active again; any other as it is. What was held for it is due then (`resumed` of delivery-state.ts). */
export function enabled<Callback extends CallbackState>(callback: Callback): Callback {
  return callback.status === "disabled" ? { ...callback, ...IN_ORDER, status: "active" } : callback;
}

/** By its owner, or at the end of a subscription. Its open deliveries are cancelled (`withdrawn` of delivery-state.ts). */
export function removed<Callback extends CallbackState>(callback: Callback): Callback {
  return callback.status === "removed" ? callback : { ...callback, ...IN_ORDER, status: "removed" };
}

/** Whether events are enqueued for the callback. Deliveries to one that is disabled for failing are held until it is enabled. */
export function isEnqueuedFor({ status, disabledReason }: Pick<CallbackState, "status" | "disabledReason">): boolean {
  return status === "active" || (status === "disabled" && disabledReason === "failing");
}

/** Whether a new delivery may be sent at once. */
export function isSendable(
  { status, notAfter }: Pick<CallbackState, "status"> & { readonly notAfter: number | null },
  now: number,
): boolean {
  return status === "active" && !isExpired(notAfter, now);
}

function disabled(callback: CallbackState, disabledReason: DisabledReason, disabledAt: number): CallbackState {
  return { ...callback, status: "disabled", disabledReason, disabledAt };
}
