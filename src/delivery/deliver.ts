import type { StoredStep } from "../domain/delivery-state.ts";
import type { DisablePolicy } from "../domain/callback-health.ts";
import { afterAttempt } from "../domain/delivery.ts";
import type { NextStep } from "../domain/delivery.ts";
import { limitKeyOf } from "../domain/limit-key.ts";
import { isExpired } from "../domain/not-after.ts";
import type { BodyProfile } from "../domain/payload.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { ClaimedDelivery, DeliveryStore, RecordAttemptResult } from "../service/ports/delivery-store.ts";
import { SenderBusy } from "../service/ports/sender.ts";
import type { Sender } from "../service/ports/sender.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import { retryUntilStored } from "../service/retry-until-stored.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import type { ConcurrencyLimiter } from "./concurrency.ts";
import { ReceiverHolds } from "./receiver-holds.ts";
import { ShortRetries } from "./short-retries.ts";
import { signedRequestOf } from "./signed-request.ts";
import type { SignedRequestSettings } from "./signed-request.ts";
import type { Slot } from "./slots.ts";
import { emitAttempt, emitCircuit, identityOf } from "./telemetry.ts";
import type { FinishedAttempt } from "./telemetry.ts";

/** After an internal failure the delivery is due again after this wait, and its schedule is untouched. */
const INTERNAL_FAILURE_WAIT_MS = 60_000;
/** When all name look-ups of the principal are in use. The delivery has waited for one already. */
const BUSY_WAIT_MS = 5_000;

export interface DeliverNeeds extends SignedRequestSettings {
  /** What the URLs begin with whose path the log may show. */
  readonly testReceivers: () => readonly string[];
  readonly store: DeliveryStore;
  readonly sender: Pick<Sender, "send" | "lookUp">;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** By the body profile of a delivery. */
  readonly retryPolicies: Readonly<Record<BodyProfile, RetryPolicy>>;
  /** When a callback is disabled for failing, by the body profile of its deliveries; null: never. */
  readonly disablePolicies: Readonly<Record<BodyProfile, DisablePolicy | null>>;
  readonly breaker: CircuitBreaker;
  readonly emit: Emit;
}

/** What the deliveries in progress share with the dispatcher. */
export interface DeliverContext {
  readonly limiter: ConcurrencyLimiter;
  /** Resolves at once, or when the pass that claims holds its slots. */
  readonly untilClaimed: () => Promise<void>;
  /** Wakes the dispatcher. */
  readonly wake: () => void;
  /** No attempt starts once this aborts. */
  readonly stopping: AbortSignal;
  /** An attempt in flight is cut off when this aborts. */
  readonly cuttingOff: AbortSignal;
}

/** Makes the attempts of one claimed delivery, each with its record, until the claim ends. Never rejects: a failure of this server is reported. */
export type Deliver = (delivery: ClaimedDelivery, slot: Slot) => Promise<void>;

export function createDeliver(needs: DeliverNeeds, context: DeliverContext): Deliver {
  const { store, sender, clock, breaker, emit } = needs;
  const { limiter, untilClaimed, wake, stopping, cuttingOff } = context;
  const holds = new ReceiverHolds();
  const shortRetries = new ShortRetries(clock, stopping);

  async function deliver(delivery: ClaimedDelivery, claimedSlot: Slot): Promise<void> {
    try {
      await shortRetries.run((tryNumber) => tryOnce(delivery, tryNumber, tryNumber === 1 ? claimedSlot : null));
    } catch (error) {
      // The claim stays until the next start, with the attempts made so far.
      if (stopping.aborted) return;
      const isBusy = error instanceof SenderBusy;
      if (!isBusy) emit({ kind: "internal.failed", where: `delivery ${delivery.deliveryId}`, error });
      await releaseUntil(delivery, clock.now() + (isBusy ? BUSY_WAIT_MS : INTERNAL_FAILURE_WAIT_MS));
    }
  }

  /** A claim that cannot be released stays until `recoverInterrupted` of the next start. */
  async function releaseUntil(delivery: ClaimedDelivery, dueAt: number): Promise<void> {
    const until = { clock, emit, where: "release", signal: stopping };
    try {
      await retryUntilStored(() => store.releaseClaim(delivery, dueAt), until);
    } catch (error) {
      emit({ kind: "internal.failed", where: `release of delivery ${delivery.deliveryId}`, error });
    }
  }

  /** Returns the wait before the next try of this claim (ms). Null: there is no further try. */
  async function tryOnce(
    delivery: ClaimedDelivery,
    tryNumber: number,
    claimedSlot: Slot | null,
  ): Promise<number | null> {
    const slot = claimedSlot ?? (await reacquireSlot(delivery));
    if (slot === null) return release(delivery);
    try {
      const lookup = sender.lookUp(new URL(delivery.callback.url), delivery.principal, stopping);
      await lookup;
      const hasWaited = claimedSlot === null || lookup !== null;
      if (hasWaited && !(await store.continueClaim(delivery))) return claimInvalidated();
      // not_after passed during a wait for a slot or for the disk. The next pass ends the delivery.
      if (isExpired(delivery.notAfter, clock.now())) return await release(delivery);
      const heldUntil = isRedelivery(delivery) ? null : holds.heldUntil(delivery, clock.now());
      if (heldUntil !== null) return await release(delivery, heldUntil);
      return await record(await send(delivery, delivery.attemptCount + tryNumber, slot));
    } finally {
      limiter.release(slot);
    }
  }

  /** Another operation (unregister, rotate, refresh, redeliver) invalidated the claim during the wait. If the delivery is due, a pass claims it again. */
  function claimInvalidated(): null {
    wake();
    return null;
  }

  /** Other deliveries could use the slot during the wait. Null: no slot is free; the delivery then waits in the store. */
  async function reacquireSlot(delivery: ClaimedDelivery): Promise<Slot | null> {
    await untilClaimed();
    return limiter.tryReacquire(limitKeyOf(delivery), clock.now());
  }

  async function release(delivery: ClaimedDelivery, dueAt = clock.now()): Promise<null> {
    await store.releaseClaim(delivery, dueAt);
    return null;
  }

  async function send(delivery: ClaimedDelivery, number: number, slot: Slot): Promise<FinishedAttempt> {
    const startedAt = clock.now();
    const request = signedRequestOf(delivery, startedAt, needs);
    const identity = identityOf(delivery, request.url, needs.testReceivers());
    emit({ kind: "delivery.sending", attempt: number, ...identity });
    const outcome = await sender.send(request, cuttingOff);
    limiter.startRecording(slot);
    const endedAt = clock.now();
    const durationMs = Math.max(0, endedAt - startedAt);
    return { delivery, identity, number, startedAt, endedAt, durationMs, outcome };
  }

  async function record(attempt: FinishedAttempt): Promise<number | null> {
    const { delivery, startedAt, endedAt, durationMs, outcome } = attempt;
    const key = limitKeyOf(delivery);
    emitCircuit(emit, delivery.origin, breaker.record(key, outcome, endedAt));
    holds.record(delivery, outcome, endedAt);
    const next = nextStep(attempt, needs);
    const step = storedStep(next, endedAt, !breaker.isOpen(key));
    const { deliveryId, claim, profile } = delivery;
    const disablePolicy = needs.disablePolicies[profile];
    const recorded = await retryUntilStored(
      () => store.recordAttempt({ deliveryId, claim, startedAt, durationMs, outcome, step, disablePolicy }),
      { clock, emit, where: "recordAttempt", signal: cuttingOff },
    );
    if (recorded === null) return null;
    emitAttempt(emit, attempt, next, recorded);
    return keepsClaim(step, recorded) ? step.nextAttemptAt - endedAt : null;
  }

  function storedStep(next: NextStep, now: number, isCircuitClosed: boolean): StoredStep {
    if (next.status !== "pending") return next;
    const keepClaim = isCircuitClosed && shortRetries.isShort(next.waitMs);
    return { status: "pending", nextAttemptAt: now + next.waitMs, keepClaim };
  }

  return deliver;
}

/** The first attempt after a redelivery is made at once, as its client has asked, also where the receiver has asked for time. */
function isRedelivery({ attemptCount, attemptsBefore }: ClaimedDelivery): boolean {
  return attemptsBefore > 0 && attemptCount === attemptsBefore;
}

function nextStep(attempt: FinishedAttempt, { retryPolicies, random }: DeliverNeeds): NextStep {
  const { delivery, outcome, endedAt } = attempt;
  const { notAfter, callback, profile, attemptsBefore } = delivery;
  const numberInSchedule = attempt.number - attemptsBefore;
  const isToSubscription = callback.subscriptionId !== null;
  return afterAttempt(
    { numberInSchedule, outcome, endedAt, notAfter, isToSubscription },
    retryPolicies[profile],
    random,
  );
}

function keepsClaim(
  step: StoredStep,
  { claimWasCurrent, isHeld, isDueAgain }: RecordAttemptResult,
): step is StoredStep & { readonly status: "pending" } {
  return step.status === "pending" && step.keepClaim && claimWasCurrent && isHeld !== true && isDueAgain !== true;
}
