import pRetry from "p-retry";
import type { BodyProfile } from "../domain/body.ts";
import type { DisablePolicy } from "../domain/callback-health.ts";
import { afterAttempt } from "../domain/delivery.ts";
import type { NextStep } from "../domain/delivery.ts";
import { isOver } from "../domain/not-after.ts";
import type { RetryPolicy } from "../domain/retry-policy.ts";
import type { Announce } from "../service/announcements.ts";
import type { ClaimedDelivery, RecordedStep } from "../service/delivery-ports.ts";
import type { Clock, Store, WorkSource } from "../service/ports.ts";
import { untilStored } from "../service/until-stored.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { InFlight } from "./in-flight.ts";
import type { InFlightLimits, Ticket } from "./in-flight.ts";
import type { HttpSender } from "./http-sender.ts";
import type { PostNeeds } from "./post.ts";
import { ReadyPosts } from "./ready-posts.ts";
import { announceAttempt, announceExpiry, announceOrigin } from "./telling.ts";

/** A wait up to this long keeps the claim; a longer one is parked in the store, where it costs no memory. */
const NEAR_WAIT_MS = 2000;
/** Claims kept over a near wait, at most: each holds a promise and a timer. Beyond it near waits are parked as well. */
const KEPT_CLAIMS_MAX = 1000;
/** When sending failed through a fault of ours, the receiver's schedule is untouched and we try again after this. */
const OWN_FAILURE_WAIT_MS = 60_000;
/** Deliveries whose not_after has come, ended in one pass; more of them take another. */
const EXPIRED_PER_PASS_MAX = 500;

export interface DispatcherNeeds extends PostNeeds {
  readonly store: Pick<
    Store,
    "expireDeliveries" | "claimDueDeliveries" | "resumeClaim" | "recordAttempt" | "releaseClaim" | "nextDueAt"
  >;
  readonly sender: Pick<HttpSender, "send">;
  readonly workSource: WorkSource;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** By the body profile of a delivery. */
  readonly retryPolicies: Readonly<Record<BodyProfile, RetryPolicy>>;
  /** When a callback is disabled for failing, by the body profile of its deliveries; null: never. */
  readonly disablePolicies: Readonly<Record<BodyProfile, DisablePolicy | null>>;
  readonly limits: InFlightLimits;
  readonly breaker: CircuitBreaker;
  readonly announce: Announce;
}

/** Thrown by a try to say: keep the claim and try again after this wait. */
class RetrySoon extends Error {
  override readonly name = "RetrySoon";
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`Next attempt in ${waitMs} ms`);
    this.waitMs = waitMs;
  }
}

/**
 * What happens by itself to the outbox: claims what is due, makes the attempts, records each one and its next step in one
 * transaction. All its state is in the store; what it holds in memory is only the requests under way.
 */
export class Dispatcher {
  readonly #needs: DispatcherNeeds;
  readonly #inFlight: InFlight;
  readonly #underWay = new Set<Promise<void>>();
  readonly #ready: ReadyPosts;
  /** No new attempt starts once this aborts. */
  readonly #stopping = new AbortController();
  /** Attempts under way are cut off when this aborts. */
  readonly #cuttingOff = new AbortController();
  #keptClaims = 0;

  constructor(needs: DispatcherNeeds) {
    this.#needs = needs;
    this.#inFlight = new InFlight(needs.limits);
    this.#ready = new ReadyPosts(needs);
  }

  start(): void {
    this.#needs.workSource.start(() => this.pass());
  }

  /** Ends what has expired, claims what is due and there is room for, and returns when there is more (epoch ms; null: never). */
  async pass(): Promise<number | null> {
    const { store, clock, limits } = this.#needs;
    const now = clock.now();
    await this.#expire(now);
    const limit = this.#stopping.signal.aborted ? 0 : this.#inFlight.room(now);
    if (limit > 0) {
      const { perOrigin } = limits;
      const chosen = (those: readonly ClaimedDelivery[]): void => this.#ready.prepare(those, clock.now());
      const claimed = await store.claimDueDeliveries({ now, limit, perOrigin, roomOf: this.#roomOf(now), chosen });
      for (const delivery of claimed) this.#begin(delivery, now);
    }
    const moreRoom = earlier(this.#needs.breaker.nextProbeAt(now), this.#inFlight.nextRoomAt(now));
    return earlier(await store.nextDueAt(now), moreRoom);
  }

  /** The origins that may have fewer requests than others: they have some under way, or are in the slow lane. */
  #roomOf(now: number): ReadonlyMap<string, number> {
    const { limits, breaker } = this.#needs;
    const most = (origin: string): number =>
      breaker.isSlow(origin) ? breaker.roomForProbe(origin, now) : limits.perOrigin;
    const origins = new Set([...this.#inFlight.perOrigin.keys(), ...breaker.slowOrigins]);
    return new Map([...origins].map((origin) => [origin, most(origin) - (this.#inFlight.perOrigin.get(origin) ?? 0)]));
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
    const { store, announce, workSource } = this.#needs;
    const expired = await store.expireDeliveries({ now, limit: EXPIRED_PER_PASS_MAX });
    for (const delivery of expired) announceExpiry(announce, delivery);
    if (expired.length === EXPIRED_PER_PASS_MAX) workSource.wake();
  }

  #begin(delivery: ClaimedDelivery, now: number): void {
    const ticket = this.#inFlight.enter(delivery.origin, now);
    const work = this.#deliver(delivery, ticket).finally(() => {
      this.#ready.forget(delivery);
      this.#underWay.delete(work);
    });
    this.#underWay.add(work);
  }

  async #deliver(delivery: ClaimedDelivery, ticket: Ticket): Promise<void> {
    const { announce, clock, store } = this.#needs;
    try {
      await this.#tryWhileNear(delivery, ticket);
    } catch (error) {
      // Left as claimed: `reclaim` brings it back, at the attempt it had come to.
      if (this.#stopping.signal.aborted) return;
      announce({ kind: "internal.failed", where: `delivery ${delivery.deliveryId}`, error });
      const due = clock.now() + OWN_FAILURE_WAIT_MS;
      const needs = { clock, announce, where: "release", signal: this.#stopping.signal };
      await untilStored(() => store.releaseClaim(delivery, due), needs);
      this.#needs.workSource.wake();
    }
  }

  /** The tries that are near in time; it ends when the delivery is settled, withdrawn or parked in the store. */
  async #tryWhileNear(delivery: ClaimedDelivery, firstTicket: Ticket): Promise<void> {
    await pRetry((tryNumber) => this.#try(delivery, tryNumber, tryNumber === 1 ? firstTicket : null), {
      retries: Number.POSITIVE_INFINITY,
      // The waits are the retry policy's: awaited below, so that p-retry adds none of its own.
      minTimeout: 0,
      onFailedAttempt: ({ error }) => (error instanceof RetrySoon ? this.#waitNear(error.waitMs) : undefined),
      shouldRetry: ({ error }) => error instanceof RetrySoon && !this.#stopping.signal.aborted,
    });
  }

  /** `claimed`: the place it was claimed for, on the first try. */
  async #try(delivery: ClaimedDelivery, tryNumber: number, claimed: Ticket | null): Promise<void> {
    const { store, clock, workSource } = this.#needs;
    const { origin } = delivery;
    // Its place was free for others over the wait. If they still need it, it waits in line like everybody, where it costs nothing.
    if (claimed === null && !this.#inFlight.hasRoomFor(origin, clock.now()))
      return store.releaseClaim(delivery, clock.now());
    const ticket = claimed ?? this.#inFlight.enter(origin, clock.now());
    try {
      if (claimed === null && !(await store.resumeClaim(delivery))) return;
      // Its time was over while it waited for room or for the claim's commit: given back, it is ended by the next pass.
      if (isOver(delivery.notAfter, clock.now())) return await store.releaseClaim(delivery, clock.now());
      // Thrown after the attempt and its step are recorded: p-retry never decides over something unrecorded.
      const waitMs = await this.#attempt(delivery, delivery.attemptCount + tryNumber, ticket);
      if (waitMs !== null) throw new RetrySoon(waitMs);
    } finally {
      this.#inFlight.leave(ticket);
      workSource.wake();
    }
  }

  /** One request and its record. Returns the wait for which the claim is kept, or null when it is given up. */
  async #attempt(delivery: ClaimedDelivery, number: number, ticket: Ticket): Promise<number | null> {
    const { clock, store, announce, retryPolicies, random, workSource } = this.#needs;
    const startedAt = clock.now();
    const { identity, post } = this.#ready.take(delivery, startedAt);
    announce({ kind: "delivery.sending", attempt: number, ...identity });
    const outcome = await this.#needs.sender.send(post, this.#cuttingOff.signal);
    // Others may be sent while this one is recorded.
    this.#inFlight.answered(ticket);
    workSource.wake();
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
    announceOrigin(announce, delivery.origin, this.#needs.breaker.record(delivery.origin, outcome, endedAt));
    const step = this.#recordedStep(delivery.origin, next, endedAt);
    const { deliveryId, claim } = delivery;
    const disablePolicy = this.#needs.disablePolicies[delivery.profile];
    const recorded = await untilStored(
      () => store.recordAttempt({ deliveryId, claim, startedAt, durationMs, outcome, step, disablePolicy }),
      { clock, announce, where: "recordAttempt", signal: this.#cuttingOff.signal },
    );
    if (recorded === null) return null;
    announceAttempt(announce, identity, { callbackId: callback.id, number, durationMs, outcome, next, recorded });
    const keepsClaim = recorded.claimHeld && recorded.isHeld !== true;
    return keepsClaim && step.status === "pending" && step.keepClaim ? step.nextAttemptAt - endedAt : null;
  }

  #recordedStep(origin: string, next: NextStep, now: number): RecordedStep {
    if (next.status !== "pending") return next;
    const isNear = next.waitMs <= NEAR_WAIT_MS && this.#keptClaims < KEPT_CLAIMS_MAX;
    const keepClaim = isNear && !this.#needs.breaker.isSlow(origin);
    return { status: "pending", nextAttemptAt: now + next.waitMs, keepClaim };
  }

  async #waitNear(waitMs: number): Promise<void> {
    this.#keptClaims++;
    await this.#needs.clock.sleep(waitMs, this.#stopping.signal);
    this.#keptClaims--;
  }
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
