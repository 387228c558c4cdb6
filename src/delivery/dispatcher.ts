import type { BodyProfile } from "../domain/payload.ts";
import type { DisablePolicy } from "../domain/callback-health.ts";
import { afterAttempt } from "../domain/delivery.ts";
import type { NextStep } from "../domain/delivery.ts";
import { isExpired } from "../domain/not-after.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { RecordedStep } from "../domain/delivery-state.ts";
import type { ClaimedDelivery, SlotReservation } from "../service/ports/delivery-store.ts";
import type { Clock, Store, WorkSource } from "../service/ports/store.ts";
import { untilStored } from "../service/until-stored.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { createSlotReservation } from "./slot-reservation.ts";
import type { ConcurrencyLimits, Slot } from "./slots.ts";
import type { Sender } from "../service/ports/sender.ts";
import { ShortRetries } from "./short-retries.ts";
import type { PostNeeds } from "./signed-request.ts";
import { ReadyPosts } from "./ready-posts.ts";
import { earlier, ConcurrencyLimiter } from "./concurrency.ts";
import { emitAttempt, emitExpiry, emitOrigin } from "./telemetry.ts";

/** When sending failed through a fault of ours, the receiver's schedule is untouched and we try again after this. */
const OWN_FAILURE_WAIT_MS = 60_000;
/** Deliveries whose not_after has come, ended in one pass; more of them take another. */
const EXPIRED_PER_PASS_MAX = 500;

export interface DispatcherNeeds extends PostNeeds {
  readonly store: Pick<
    Store,
    "expireDeliveries" | "claimDueDeliveries" | "resumeClaim" | "recordAttempt" | "releaseClaim" | "nextDeliveryTimes"
  >;
  readonly sender: Pick<Sender, "send">;
  readonly workSource: WorkSource;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** By the body profile of a delivery. */
  readonly retryPolicies: Readonly<Record<BodyProfile, RetryPolicy>>;
  /** When a callback is disabled for failing, by the body profile of its deliveries; null: never. */
  readonly disablePolicies: Readonly<Record<BodyProfile, DisablePolicy | null>>;
  readonly limits: ConcurrencyLimits;
  readonly breaker: CircuitBreaker;
  readonly emit: Emit;
}

/**
 * What happens by itself to the outbox: claims what is due, makes the attempts, records each one and its next step in one
 * transaction. All its state is in the store; what it holds in memory is only the requests under way.
 */
export class Dispatcher {
  readonly #needs: DispatcherNeeds;
  readonly #room: ConcurrencyLimiter;
  readonly #underWay = new Set<Promise<void>>();
  readonly #ready: ReadyPosts;
  readonly #near: ShortRetries;
  /** While a pass claims: until it has entered what it has counted places for. */
  #claiming: Promise<void> | null = null;
  /** No new attempt starts once this aborts. */
  readonly #stopping = new AbortController();
  /** Attempts under way are cut off when this aborts. */
  readonly #cuttingOff = new AbortController();

  constructor(needs: DispatcherNeeds) {
    this.#needs = needs;
    const { limits, breaker, workSource } = needs;
    this.#room = new ConcurrencyLimiter({ limits, breaker, wake: () => workSource.wake() });
    this.#ready = new ReadyPosts(needs);
    this.#near = new ShortRetries(needs.clock, this.#stopping.signal);
  }

  start(): void {
    this.#needs.workSource.start(() => this.pass());
  }

  /** For the end of a task: what it owes goes out at once where nobody waits for the same place. */
  openReservation(): SlotReservation {
    const { clock, workSource } = this.#needs;
    return createSlotReservation({
      enter: (origin) => this.#enterAtOnce(origin),
      leave: (place) => this.#room.leave(place),
      prepare: (claimed) => this.#ready.prepare(claimed, clock.now()),
      begin: (delivery, place) => this.#beginAtOnce(delivery, place),
      wake: () => workSource.wake(),
    });
  }

  /** Ends what has expired, claims what is due and there is room for, and returns when there is more (epoch ms; null: never). */
  async pass(): Promise<number | null> {
    const { store, clock } = this.#needs;
    const now = clock.now();
    this.#room.lookAlongLine();
    await this.#expire(now);
    const limit = this.#stopping.signal.aborted ? 0 : this.#room.inAll(now);
    const claimedCount = limit === 0 ? 0 : await this.#claim(limit, now);
    const { anyDue, nextAt } = await store.nextDeliveryTimes(now);
    this.#room.leaveInLine({ anyDue, hasMore: claimedCount < limit });
    return earlier(nextAt, this.#room.nextAt(now));
  }

  /** Lets the attempts under way finish within `graceMs`, then cuts them off; everything else stays in the store. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#needs.workSource.stop();
    const grace = this.#needs.clock.sleep(graceMs, this.#cuttingOff.signal).then(() => this.#cuttingOff.abort());
    await Promise.all(this.#underWay);
    this.#cuttingOff.abort();
    await grace;
  }

  async #expire(now: number): Promise<void> {
    const { store, emit, workSource } = this.#needs;
    const expired = await store.expireDeliveries({ now, limit: EXPIRED_PER_PASS_MAX });
    for (const delivery of expired) emitExpiry(emit, delivery);
    if (expired.length === EXPIRED_PER_PASS_MAX) workSource.wake();
  }

  /** Begins what it has claimed; returns how many those are. */
  async #claim(limit: number, now: number): Promise<number> {
    const { store, clock, limits } = this.#needs;
    const roomOf = this.#room.ofOrigins(now);
    const chosen = (those: readonly ClaimedDelivery[]): void => this.#ready.prepare(those, clock.now());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#claiming = promise;
    try {
      const claimed = await store.claimDueDeliveries({ now, limit, perOrigin: limits.perOrigin, roomOf, chosen });
      for (const delivery of claimed) this.#begin(delivery, this.#room.enter(delivery.origin, now));
      return claimed.length;
    } finally {
      this.#claiming = null;
      resolve();
    }
  }

  #enterAtOnce(origin: string): Slot | null {
    return this.#stopping.signal.aborted ? null : this.#room.enterAtOnce(origin, this.#needs.clock.now());
  }

  /** Once stopped, what was claimed stays as it is: `recoverOrphans` brings it back. */
  #beginAtOnce(delivery: ClaimedDelivery, slot: Slot): void {
    if (!this.#stopping.signal.aborted) return this.#begin(delivery, slot);
    this.#ready.forget(delivery);
    this.#room.leave(slot);
  }

  #begin(delivery: ClaimedDelivery, slot: Slot): void {
    const work = this.#deliver(delivery, slot).finally(() => {
      this.#ready.forget(delivery);
      this.#underWay.delete(work);
    });
    this.#underWay.add(work);
  }

  async #deliver(delivery: ClaimedDelivery, slot: Slot): Promise<void> {
    const { emit, clock, store } = this.#needs;
    try {
      await this.#near.run((tryNumber) => this.#try(delivery, tryNumber, tryNumber === 1 ? slot : null));
    } catch (error) {
      // Left as claimed: `recoverOrphans` brings it back, at the attempt it had come to.
      if (this.#stopping.signal.aborted) return;
      emit({ kind: "internal.failed", where: `delivery ${delivery.deliveryId}`, error });
      const due = clock.now() + OWN_FAILURE_WAIT_MS;
      const needs = { clock, emit, where: "release", signal: this.#stopping.signal };
      await untilStored(() => store.releaseClaim(delivery, due), needs);
      this.#needs.workSource.wake();
    }
  }

  /** `claimed`: the place it was claimed for, on the first try. Returns the wait for which the claim is kept; null: it is settled, withdrawn or parked. */
  async #try(delivery: ClaimedDelivery, tryNumber: number, claimed: Slot | null): Promise<number | null> {
    const { store, clock } = this.#needs;
    const slot = claimed ?? (await this.#enterAgain(delivery.origin));
    if (slot === null) return this.#giveBack(delivery);
    try {
      if (claimed === null && !(await store.resumeClaim(delivery))) return this.#leaveToOthers();
      // Its time was over while it waited for room or for the claim's commit: given back, it is ended by the next pass.
      if (isExpired(delivery.notAfter, clock.now())) return await this.#giveBack(delivery);
      return await this.#attempt(delivery, delivery.attemptCount + tryNumber, slot);
    } finally {
      this.#room.leave(slot);
    }
  }

  /** Its place was free for others over the wait. If they still need it (null), it waits in line like everybody, where it costs nothing. */
  async #enterAgain(origin: string): Promise<Slot | null> {
    while (this.#claiming !== null) await this.#claiming;
    return this.#room.enterAgain(origin, this.#needs.clock.now());
  }

  /** The claim was withdrawn over its wait, by whom the end of that was none of their business: if the delivery is due, it is claimed anew. */
  #leaveToOthers(): null {
    this.#needs.workSource.wake();
    return null;
  }

  async #giveBack(delivery: ClaimedDelivery): Promise<null> {
    const { store, clock, workSource } = this.#needs;
    await store.releaseClaim(delivery, clock.now());
    workSource.wake();
    return null;
  }

  /** One request and its record. Returns the wait for which the claim is kept, or null when it is given up. */
  async #attempt(delivery: ClaimedDelivery, number: number, slot: Slot): Promise<number | null> {
    const { clock, store, emit, retryPolicies, random } = this.#needs;
    const startedAt = clock.now();
    const { identity, post } = this.#ready.take(delivery, startedAt);
    emit({ kind: "delivery.sending", attempt: number, ...identity });
    const outcome = await this.#needs.sender.send(post, this.#cuttingOff.signal);
    // Others may be sent while this one is recorded.
    this.#room.answered(slot);
    const endedAt = clock.now();
    const durationMs = Math.max(0, endedAt - startedAt);
    const { notAfter, callback } = delivery;
    const next = afterAttempt(
      {
        number: number - delivery.attemptsBefore,
        outcome,
        endedAt,
        notAfter,
        isToSubscription: callback.subscriptionId !== null,
      },
      retryPolicies[delivery.profile],
      random,
    );
    emitOrigin(emit, delivery.origin, this.#needs.breaker.record(delivery.origin, outcome, endedAt));
    const step = this.#recordedStep(delivery.origin, next, endedAt);
    const { deliveryId, claim } = delivery;
    const disablePolicy = this.#needs.disablePolicies[delivery.profile];
    const recorded = await untilStored(
      () => store.recordAttempt({ deliveryId, claim, startedAt, durationMs, outcome, step, disablePolicy }),
      { clock, emit, where: "recordAttempt", signal: this.#cuttingOff.signal },
    );
    if (recorded === null) return null;
    emitAttempt(emit, identity, { callbackId: callback.id, number, durationMs, outcome, next, recorded });
    const keepsClaim = recorded.claimHeld && recorded.isHeld !== true && recorded.isDueAgain !== true;
    if (keepsClaim && step.status === "pending" && step.keepClaim) return step.nextAttemptAt - endedAt;
    const isQuiet = step.status !== "pending" && recorded.isDueAgain !== true && recorded.callbackChange === undefined;
    // Something may have become due, now or later.
    if (!isQuiet) this.#needs.workSource.wake();
    return null;
  }

  #recordedStep(origin: string, next: NextStep, now: number): RecordedStep {
    if (next.status !== "pending") return next;
    const keepClaim = this.#near.isShort(next.waitMs) && !this.#needs.breaker.isSlow(origin);
    return { status: "pending", nextAttemptAt: now + next.waitMs, keepClaim };
  }
}
