/**
 * The changes of a delivery's row, one function each. A store reads the row in its transaction, calls the function, and writes what it
 * returns on condition that the row still has the status and the claim that it was read with. Times are epoch ms.
 */
import type { CallbackStatus } from "./callback.ts";
import type { DeliveryReason, DeliveryStatus } from "./delivery.ts";

export interface DeliveryState {
  readonly status: DeliveryStatus;
  /** How often it has been claimed. A result with an older number belongs to a void claim. */
  readonly claim: number;
  readonly attemptCount: number;
  /** The attempts before the last redelivery: the retry schedule counts from there. */
  readonly attemptsBefore: number;
  /** Pending: when it is due; null: held until its callback is enabled. Sending: the claim is kept until then; null: a request is under way. */
  readonly nextAttemptAt: number | null;
  /** A redelivery was asked for during the attempt. */
  readonly sendAgain: boolean;
  /** From then on no attempt begins; null: no end. */
  readonly notAfter: number | null;
  readonly reason: DeliveryReason | null;
  /** When it ended; null: it is open. */
  readonly settledAt: number | null;
}

/** What a claimed delivery does after an attempt. `keepClaim`: the wait is short, so the claim is kept over it. */
export type StoredStep =
  | { readonly status: "delivered" }
  | { readonly status: "pending"; readonly nextAttemptAt: number; readonly keepClaim: boolean }
  | { readonly status: "exhausted"; readonly disablesCallback: boolean; readonly reason?: DeliveryReason };

/** Whether a result that was reached under `claim` still decides what happens to the delivery. */
export function claimIsCurrent({ status, claim }: Pick<DeliveryState, "status" | "claim">, ofResult: number): boolean {
  return status === "sending" && claim === ofResult;
}

/** A request is under way. */
export function isBeingSent({ status, nextAttemptAt }: Pick<DeliveryState, "status" | "nextAttemptAt">): boolean {
  return status === "sending" && nextAttemptAt === null;
}

/** What a reader sees: a claim that is kept over a short wait is an inner matter, so such a delivery shows as pending. */
export function shownStatus(delivery: Pick<DeliveryState, "status" | "nextAttemptAt">): DeliveryStatus {
  return delivery.status === "sending" && !isBeingSent(delivery) ? "pending" : delivery.status;
}

/** A new delivery: claimed by the end of its task, held while its callback is disabled, or due now. */
export function enqueued(
  callback: { readonly status: CallbackStatus; readonly notAfter: number | null },
  isClaimed: boolean,
  now: number,
): DeliveryState {
  const { notAfter } = callback;
  const unsettled = { attemptCount: 0, attemptsBefore: 0, sendAgain: false, notAfter, reason: null, settledAt: null };
  if (isClaimed) return { ...unsettled, status: "sending", claim: 1, nextAttemptAt: null };
  return { ...unsettled, status: "pending", claim: 0, nextAttemptAt: callback.status === "disabled" ? null : now };
}

/**
 * Redelivery: due now with a new schedule. A claim that is kept over a wait is void by that. While a request is under way its claim must
 * hold until the attempt is recorded, so the delivery is only marked. `notAfter`: the callback's, which may have changed.
 */
export function reopened(delivery: DeliveryState, notAfter: number | null, now: number): DeliveryState {
  const anew = { ...delivery, attemptsBefore: delivery.attemptCount, notAfter, reason: null, settledAt: null };
  if (isBeingSent(delivery)) return { ...anew, sendAgain: true };
  const nextAttemptAt = Math.min(delivery.nextAttemptAt ?? now, now);
  return { ...anew, status: "pending", sendAgain: false, nextAttemptAt };
}

/** A claim that ends without an attempt: due at `dueAt`, held while the callback is disabled, or cancelled if it was superseded. */
export function released(delivery: DeliveryState, callbackStatus: CallbackStatus, dueAt: number): DeliveryState {
  if (delivery.reason === "superseded") return withdrawn(delivery, dueAt, "superseded");
  return { ...delivery, status: "pending", nextAttemptAt: callbackStatus === "disabled" ? null : dueAt };
}

/** Newer progress, or the task's end, makes a delivery of progress useless. A request that is under way is its last. */
export function superseded(delivery: DeliveryState, now: number): DeliveryState {
  if (isBeingSent(delivery)) return { ...delivery, reason: "superseded" };
  return withdrawn(delivery, now, "superseded");
}

/** A pending delivery whose `notAfter` has come. A subscription that was not refreshed is no failure, so its deliveries are cancelled. */
export function expired(
  delivery: DeliveryState,
  isToSubscription: boolean,
  now: number,
): DeliveryState & { reason: DeliveryReason } {
  if (isToSubscription) return withdrawn(delivery, now, "expired");
  return { ...delivery, status: "exhausted", reason: "not_after", nextAttemptAt: null, settledAt: now };
}

/** Cancelled, its claim void. `reason`: null where the owner of the callback asked for it. */
export function withdrawn<Reason extends DeliveryReason | null>(delivery: DeliveryState, now: number, reason: Reason) {
  return { ...delivery, status: "cancelled", reason, nextAttemptAt: null, settledAt: now } as const;
}

/** Its callback was disabled: it waits without a time, so no claim finds it. A request that is under way goes on. */
export function held(delivery: DeliveryState): DeliveryState {
  return isBeingSent(delivery) ? delivery : { ...delivery, status: "pending", nextAttemptAt: null };
}

/** Its callback was enabled: what was held is due, at its place in the schedule. */
export function resumed(delivery: DeliveryState, now: number): DeliveryState {
  const isHeld = delivery.status === "pending" && delivery.nextAttemptAt === null;
  return isHeld ? { ...delivery, nextAttemptAt: now } : delivery;
}

export interface RecordedAttempt {
  /** The claim that the attempt was made under. */
  readonly claim: number;
  readonly step: StoredStep;
  readonly endedAt: number;
}
export interface Recorded {
  readonly state: DeliveryState;
  /** current: the step is taken. superseded: a further attempt would be useless, so the delivery ends. void: the attempt is only counted. */
  readonly claim: "current" | "superseded" | "void";
  /** A redelivery was asked for during the attempt, so the delivery is due again. */
  readonly isDueAgain: boolean;
}

/** After an attempt. `callbackNotAfter`: the callback's, for a redelivery that was asked for meanwhile. */
export function recorded(
  delivery: DeliveryState,
  { claim, step, endedAt }: RecordedAttempt,
  callbackNotAfter: number | null,
): Recorded {
  const counted = { ...delivery, attemptCount: delivery.attemptCount + 1 };
  if (!claimIsCurrent(delivery, claim)) return { state: counted, claim: "void", isDueAgain: false };
  if (delivery.reason === "superseded" && step.status === "pending")
    return { state: withdrawn(counted, endedAt, "superseded"), claim: "superseded", isDueAgain: false };
  const after = { ...counted, sendAgain: false, ...changesOf(step, endedAt) };
  const isGone = step.status === "exhausted" && step.disablesCallback;
  if (!delivery.sendAgain || isGone) return { state: after, claim: "current", isDueAgain: false };
  return { state: reopened(after, callbackNotAfter, endedAt), claim: "current", isDueAgain: true };
}

function changesOf(
  step: StoredStep,
  endedAt: number,
): Pick<DeliveryState, "status" | "nextAttemptAt" | "reason" | "settledAt"> {
  if (step.status === "pending") {
    const { nextAttemptAt, keepClaim } = step;
    return { status: keepClaim ? "sending" : "pending", nextAttemptAt, reason: null, settledAt: null };
  }
  const reason = step.status === "exhausted" ? (step.reason ?? null) : null;
  return { status: step.status, nextAttemptAt: null, reason, settledAt: endedAt };
}
