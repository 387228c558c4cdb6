import { originOf, principalOf } from "../domain/limit-key.ts";
import type { LimitKey } from "../domain/limit-key.ts";
import type { ClaimDeliveries } from "../service/ports/delivery-store.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { Slots } from "./slots.ts";
import type { ConcurrencyLimits, Slot } from "./slots.ts";

export interface ConcurrencyLimiterNeeds {
  readonly limits: ConcurrencyLimits;
  readonly breaker: CircuitBreaker;
  /** Called when a slot becomes free that a pending delivery may wait for. */
  readonly wake: () => void;
}

/** For which slots due deliveries wait in the store. */
interface Waiting {
  /** For those of these keys. */
  readonly keys: ReadonlySet<LimitKey>;
  /** For any slot to one of these origins. */
  readonly origins: ReadonlySet<string>;
  /** For any slot: these principals have their share. */
  readonly principals: ReadonlySet<string>;
}
const NONE: ReadonlySet<string> = new Set();
const NOTHING: Waiting = { keys: NONE, origins: NONE, principals: NONE };

/**
 * How many requests may start: within the limits, and one probe at a time to a key whose circuit is open. It remembers for which keys due
 * deliveries wait, so that no new delivery overtakes them and a slot that they wait for wakes the dispatcher. Times are epoch ms.
 */
export class ConcurrencyLimiter {
  readonly #needs: ConcurrencyLimiterNeeds;
  readonly #slots: Slots;
  /** "any": unknown, so that every slot may be waited for. */
  #waiting: "any" | Waiting = "any";

  constructor(needs: ConcurrencyLimiterNeeds) {
    this.#needs = needs;
    this.#slots = new Slots(needs.limits);
  }

  /** In all. */
  freeSlots(now: number): number {
    return this.#slots.free(now);
  }

  /** What a pass may claim by principal and origin. */
  claimable(now: number): Pick<ClaimDeliveries, "perOrigin" | "freeSlotsByKey" | "freeSlotsByOrigin" | "claimants"> {
    return {
      perOrigin: this.#slots.freeOfKey(""),
      freeSlotsByKey: this.freeSlotsByKey(now),
      freeSlotsByOrigin: this.#slots.freeOfOrigins(),
      claimants: this.#slots.claimants(now),
    };
  }

  /** For the keys with requests in flight and those whose circuit is open. */
  freeSlotsByKey(now: number): ReadonlyMap<LimitKey, number> {
    const { breaker } = this.#needs;
    const { inFlight } = this.#slots;
    const freeSlotsOf = (key: LimitKey): number =>
      breaker.isOpen(key) ? breaker.probeSlots(key, now) - (inFlight.get(key) ?? 0) : this.#slots.freeOfKey(key);
    return new Map([...new Set([...inFlight.keys(), ...breaker.openKeys])].map((key) => [key, freeSlotsOf(key)]));
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

  /** `anyDue`: deliveries are due and wait. `tookAllSlots`: for any slot; otherwise for those of their own key, origin or principal. */
  endPass({ anyDue, tookAllSlots, now }: PassEnd): void {
    if (!anyDue) this.#waiting = NOTHING;
    else this.#waiting = tookAllSlots ? "any" : this.#full(now);
  }

  /** When the passing of time frees a slot; null: never. */
  nextFreeAt(now: number): number | null {
    return earlier(this.#needs.breaker.nextProbeAt(now), this.#slots.nextFreeAt(now));
  }

  #full(now: number): Waiting {
    const keys = [...this.#slots.inFlight.keys()].filter((key) => this.#slots.freeOfKey(key) === 0);
    const origins = [...this.#slots.freeOfOrigins()].filter(([, free]) => free <= 0).map(([origin]) => origin);
    return {
      keys: new Set([...keys, ...this.#needs.breaker.openKeys]),
      origins: new Set(origins),
      principals: new Set(this.#slots.limitedPrincipals(now)),
    };
  }

  #isWaitedFor(key: LimitKey): boolean {
    if (this.#waiting === "any") return true;
    const { keys, origins, principals } = this.#waiting;
    return keys.has(key) || origins.has(originOf(key)) || principals.has(principalOf(key));
  }

  /** A slot that one principal frees adds to the share of each other one, in all and at its origin. */
  #wakeIfWaitedFor({ key }: Slot): void {
    const waiting = this.#waiting;
    const isWaitedFor =
      this.#isWaitedFor(key) ||
      (waiting !== "any" &&
        (waiting.principals.size > 0 || [...waiting.keys].some((other) => originOf(other) === originOf(key))));
    if (isWaitedFor) this.#needs.wake();
  }
}

/** `anyDue`: deliveries are due and wait. `now`: epoch ms. */
export interface PassEnd {
  readonly anyDue: boolean;
  readonly tookAllSlots: boolean;
  readonly now: number;
}

/** Of two times; null: never. */
export function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
