import type { Outcome } from "../domain/attempt.ts";
import type { NextStep } from "../domain/delivery.ts";
import type { DeliveryIdentity, NextAfterAttempt } from "../service/ports/telemetry-deliveries.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type {
  CallbackChange,
  ClaimedDelivery,
  ExpiredDelivery,
  RecordAttemptResult,
} from "../service/ports/delivery-store.ts";
import type { CircuitChange } from "./circuit-breaker.ts";

/** The delivery as telemetry names it. */
export function identityOf(
  { principal, deliveryId, event, callback }: ClaimedDelivery,
  url: URL,
  testReceivers: readonly string[],
): DeliveryIdentity {
  const { id: eventId, type, data } = event;
  const what = { principal, deliveryId, callbackId: callback.id, eventId, event: type, taskId: data.task_id };
  return { ...what, clientId: callback.clientId, url: shownUrl(url, testReceivers) };
}

/** An attempt that is over. Times are epoch ms. */
export interface FinishedAttempt {
  readonly delivery: ClaimedDelivery;
  readonly identity: DeliveryIdentity;
  /** From 1, per delivery. */
  readonly number: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly durationMs: number;
  readonly outcome: Outcome;
}

/** `step`: by the rule. `recorded`: what the store made of it. */
export function emitAttempt(emit: Emit, attempt: FinishedAttempt, step: NextStep, recorded: RecordAttemptResult): void {
  const { identity, number, durationMs } = attempt;
  const { statusCode, error } = attempt.outcome;
  const next = nextOf(step, recorded);
  emit({
    kind: "delivery.attempted",
    attempt: number,
    durationMs,
    outcome: { statusCode, error },
    next,
    waitMs: next === "retry" && step.status === "pending" ? step.waitMs : null,
    ...identity,
  });
  if (recorded.eventSettled) emitSettled(emit, identity);
  if (recorded.callbackChange !== undefined) emitCallback(emit, identity, attempt, recorded.callbackChange);
}

/** The attempt has disabled its callback, or enabled it again. */
function emitCallback(
  emit: Emit,
  { principal, callbackId, taskId, clientId }: DeliveryIdentity,
  { outcome: { error } }: FinishedAttempt,
  change: CallbackChange,
): void {
  const callback = { principal, callbackId, taskId, clientId };
  if (change.status === "active") {
    const { resumedCount } = change;
    emit({ kind: "callback.enabled", ...callback, resumedCount });
  } else {
    const { reason, failingSince, heldCount } = change;
    emit({ kind: "callback.disabled", ...callback, reason, failingSince, error, heldCount });
  }
}

export function emitExpiry(emit: Emit, expired: ExpiredDelivery, testReceivers: readonly string[]): void {
  const { attemptCount, eventSettled, reason, ...delivery } = expired;
  const identity = { ...delivery, url: shownUrl(new URL(delivery.url), testReceivers) };
  emit({ kind: "delivery.expired", attempts: attemptCount, reason, ...identity });
  if (eventSettled) emitSettled(emit, identity);
}

/** Not for progress: newer progress makes another event of the same task. */
function emitSettled(emit: Emit, { principal, eventId, event, taskId }: DeliveryIdentity): void {
  if (event !== "task_progress") emit({ kind: "event.settled", principal, eventId, taskId });
}

export function emitCircuit(emit: Emit, origin: string, change: CircuitChange): void {
  if (change !== null) emit({ kind: change === "opened" ? "origin.circuit_opened" : "origin.circuit_closed", origin });
}

/** Path and query of a URL may be credentials. The built-in test receiver's path is none. */
function shownUrl({ origin, pathname }: URL, testReceivers: readonly string[]): string {
  const url = origin + pathname;
  return testReceivers.some((base) => url.startsWith(base)) ? url : `${origin}/…`;
}

function nextOf(step: NextStep, { claimWasCurrent, isHeld, isDueAgain }: RecordAttemptResult): NextAfterAttempt {
  if (!claimWasCurrent) return "withdrawn";
  if (step.status === "delivered") return "delivered";
  if (isHeld) return "held";
  if (isDueAgain) return "redelivered";
  return step.status === "pending" ? "retry" : "gave_up";
}
