import type { LimitKey } from "../domain/limit-key.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { Slots } from "./slots.ts";
import type { ConcurrencyLimits, Slot } from "./slots.ts";

export interface ConcurrencyLimiterNeeds {
  readonly limits: ConcurrencyLimits;
  readonly breaker: CircuitBreaker;
  /** Called when a slot becomes free that a pending delivery may wait for. */
  readonly wake: () => void;
}

/** The keys for which due deliveries wait in the store; "any": unknown, so that every slot may be waited for. */
type WaitingKeys = "any" | ReadonlySet<LimitKey>;
const NO_KEYS: WaitingKeys = new Set();

/**
 * How many requests may start: within the limits, and one probe at a time to a key whose circuit is open. It remembers for which keys due
 * deliveries wait, so that no new delivery overtakes them and a slot that they wait for wakes the dispatcher. Times are epoch ms.
 */
export class ConcurrencyLimiter {
  readonly #needs: ConcurrencyLimiterNeeds;
  readonly #slots: Slots;
  #waiting: WaitingKeys = "any";

  constructor(needs: ConcurrencyLimiterNeeds) {
    this.#needs = needs;
    this.#slots = new Slots(needs.limits);
  }

  /** In all. */
  freeSlots(now: number): number {
    return this.#slots.free(now);
  }

  /** For the keys with requests in flight and those whose circuit is open; every other key has `perOrigin`. */
  freeSlotsByKey(now: number): ReadonlyMap<LimitKey, number> {
    const { limits, breaker } = this.#needs;
    const { inFlight } = this.#slots;
    const limitOf = (key: LimitKey): number => (breaker.isOpen(key) ? breaker.probeSlots(key, now) : limits.perOrigin);
    const keys = new Set([...inFlight.keys(), ...breaker.openKeys]);
    return new Map([...keys].map((key) => [key, limitOf(key) - (inFlight.get(key) ?? 0)]));
  }

  /** For a delivery that a pass has claimed for a free slot. */
  acquire(key: LimitKey, now: number): Slot {
    return this.#slots.acquire(key, now);
  }

  /** For a new delivery. Null: no slot is free, due deliveries wait for it, or the circuit is open. */
  tryAcquire(key: LimitKey, now: number): Slot | null {
    return this.#isWaitedFor(key) ? null : this.tryReacquire(key, now);
  }

  /** For a delivery that kept its claim over a short wait. Null: no slot is free, or the circuit is open. */
  tryReacquire(key: LimitKey, now: number): Slot | null {
    const isFree = !this.#needs.breaker.isOpen(key) && this.#slots.isFreeFor(key, now);
    return isFree ? this.acquire(key, now) : null;
  }

  /** The request is over, so that another may start; its record is still to be made. */
  startRecording(slot: Slot): void {
    this.#slots.startRecording(slot);
    this.#wakeIfWaitedFor(slot);
  }

  release(slot: Slot): void {
    this.#slots.release(slot);
    this.#wakeIfWaitedFor(slot);
  }

  /** During a pass it is unknown which deliveries wait. */
  startPass(): void {
    this.#waiting = "any";
  }

  /** `anyDue`: deliveries are due and wait. `tookAllSlots`: for any slot; otherwise for those of their own key. */
  endPass({ anyDue, tookAllSlots }: { readonly anyDue: boolean; readonly tookAllSlots: boolean }): void {
    if (!anyDue) this.#waiting = NO_KEYS;
    else this.#waiting = tookAllSlots ? "any" : this.#fullKeys();
  }

  /** When the passing of time frees a slot; null: never. */
  nextFreeAt(now: number): number | null {
    return earlier(this.#needs.breaker.nextProbeAt(now), this.#slots.nextFreeAt(now));
  }

  #fullKeys(): ReadonlySet<LimitKey> {
    const { limits, breaker } = this.#needs;
    const full = [...this.#slots.inFlight].filter(([, count]) => count >= limits.perOrigin);
    return new Set([...full.map(([key]) => key), ...breaker.openKeys]);
  }

  #isWaitedFor(key: LimitKey): boolean {
    return this.#waiting === "any" || this.#waiting.has(key);
  }

  #wakeIfWaitedFor({ key }: Slot): void {
    if (this.#isWaitedFor(key)) this.#needs.wake();
  }
}

/** Of two times; null: never. */
export function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
