import type { LimitKey } from "../domain/limit-key.ts";
import { limitKeyOf } from "../domain/limit-key.ts";
import type { ClaimedDelivery, SlotReservation } from "../service/ports/delivery-store.ts";
import type { WorkQueue } from "../service/ports/work-queue.ts";
import { earlier, ConcurrencyLimiter } from "./concurrency.ts";
import { createDeliver } from "./deliver.ts";
import type { Deliver, DeliverNeeds } from "./deliver.ts";
import { createSlotReservation } from "./slot-reservation.ts";
import type { ConcurrencyLimits, Slot } from "./slots.ts";
import { emitExpiry } from "./telemetry.ts";

/** Deliveries that a pass ends because their not_after has come; for more of them another pass follows. */
const EXPIRED_PER_PASS_MAX = 500;

export interface DispatcherNeeds extends DeliverNeeds {
  readonly queue: WorkQueue;
  readonly limits: ConcurrencyLimits;
}

/**
 * The loop over the outbox: ends what has expired, claims what is due within the limits, and waits. Everything that must survive is in the
 * store; in memory are only the deliveries in progress.
 */
export class Dispatcher {
  readonly #needs: DispatcherNeeds;
  readonly #limiter: ConcurrencyLimiter;
  readonly #deliver: Deliver;
  readonly #inProgress = new Set<Promise<void>>();
  /** Not null while a pass claims. Resolves when the pass holds its slots. */
  #claiming: Promise<void> | null = null;
  readonly #stopping = new AbortController();
  readonly #cuttingOff = new AbortController();

  constructor(needs: DispatcherNeeds) {
    this.#needs = needs;
    const { limits, breaker, queue } = needs;
    this.#limiter = new ConcurrencyLimiter({ limits, breaker, wake: () => queue.wake() });
    this.#deliver = createDeliver(needs, {
      limiter: this.#limiter,
      untilClaimed: () => this.#untilClaimed(),
      wake: () => needs.queue.wake(),
      stopping: this.#stopping.signal,
      cuttingOff: this.#cuttingOff.signal,
    });
  }

  start(): void {
    this.#needs.queue.start(() => this.pass());
  }

  /** Reserves slots for the deliveries of one task's end. They start at once, unless an older delivery waits for the same slot. */
  openReservation(): SlotReservation {
    return createSlotReservation({
      acquire: (key) => this.#tryAcquire(key),
      release: (slot) => this.#limiter.release(slot),
      begin: (delivery, slot) => this.#beginReserved(delivery, slot),
    });
  }

  /** Ends what has expired, claims what is due as far as slots are free, and returns when the next pass is due (epoch ms; null: after a wake). */
  async pass(): Promise<number | null> {
    const { store, clock } = this.#needs;
    const now = clock.now();
    this.#limiter.startPass();
    await this.#expire(now);
    const limit = this.#stopping.signal.aborted ? 0 : this.#limiter.freeSlots(now);
    const claimedCount = limit === 0 ? 0 : await this.#claim(limit, now);
    const { anyDue, nextAt } = await store.nextDeliveryTimes(now);
    this.#limiter.endPass({ anyDue, tookAllSlots: claimedCount === limit, now });
    return earlier(nextAt, this.#limiter.nextFreeAt(now));
  }

  /** Lets attempts in flight finish within `graceMs`, then cuts them off. Everything else stays in the store. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#needs.queue.stop();
    const grace = this.#needs.clock.sleep(graceMs, this.#cuttingOff.signal).then(() => this.#cuttingOff.abort());
    await Promise.all(this.#inProgress);
    this.#cuttingOff.abort();
    await grace;
  }

  async #expire(now: number): Promise<void> {
    const { store, emit, queue, testReceivers } = this.#needs;
    const expired = await store.expireDeliveries({ now, limit: EXPIRED_PER_PASS_MAX });
    for (const delivery of expired) emitExpiry(emit, delivery, testReceivers());
    if (expired.length === EXPIRED_PER_PASS_MAX) queue.wake();
  }

  /** Starts the deliveries that it claims; returns their number. */
  async #claim(limit: number, now: number): Promise<number> {
    const { store } = this.#needs;
    const claimable = this.#limiter.claimable(now);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#claiming = promise;
    try {
      const claimed = await store.claimDueDeliveries({ now, limit, ...claimable });
      for (const delivery of claimed) this.#begin(delivery, this.#limiter.acquire(limitKeyOf(delivery), now));
      return claimed.length;
    } finally {
      this.#claiming = null;
      resolve();
    }
  }

  async #untilClaimed(): Promise<void> {
    while (this.#claiming !== null) await this.#claiming;
  }

  #tryAcquire(key: LimitKey): Slot | null {
    return this.#stopping.signal.aborted ? null : this.#limiter.tryAcquire(key, this.#needs.clock.now());
  }

  /** After a stop the claim stays as it is: `recoverInterrupted` of the next start ends it. */
  #beginReserved(delivery: ClaimedDelivery, slot: Slot): void {
    if (this.#stopping.signal.aborted) this.#limiter.release(slot);
    else this.#begin(delivery, slot);
  }

  #begin(delivery: ClaimedDelivery, slot: Slot): void {
    const work = this.#deliver(delivery, slot).finally(() => this.#inProgress.delete(work));
    this.#inProgress.add(work);
  }
}
