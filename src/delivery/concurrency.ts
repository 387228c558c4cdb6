import type { CircuitBreaker } from "./circuit-breaker.ts";
import { Slots } from "./slots.ts";
import type { ConcurrencyLimits, Slot } from "./slots.ts";

export interface ConcurrencyLimiterNeeds {
  readonly limits: ConcurrencyLimits;
  readonly breaker: CircuitBreaker;
  /** There is a place that somebody in line may wait for. */
  readonly wake: () => void;
}

/** Who may be waiting for a place: anybody, as far as we know, or only what is due to these origins. */
type Line = "anybody" | ReadonlySet<string>;
const NOBODY: Line = new Set();

/**
 * How many requests may be begun: within the limits, and slowly to origins that keep failing. It remembers for which places somebody
 * waits in line: nobody overtakes those, and who leaves such a place says so. Times are epoch ms.
 */
export class ConcurrencyLimiter {
  readonly #needs: ConcurrencyLimiterNeeds;
  readonly #inFlight: Slots;
  #line: Line = "anybody";

  constructor(needs: ConcurrencyLimiterNeeds) {
    this.#needs = needs;
    this.#inFlight = new Slots(needs.limits);
  }

  /** How many more there may be in all. */
  inAll(now: number): number {
    return this.#inFlight.room(now);
  }

  /** The origins that may have fewer requests than others: they have some under way, or are in the slow lane. */
  ofOrigins(now: number): ReadonlyMap<string, number> {
    const { limits, breaker } = this.#needs;
    const underWay = this.#inFlight.perOrigin;
    const most = (origin: string): number =>
      breaker.isSlow(origin) ? breaker.roomForProbe(origin, now) : limits.perOrigin;
    const origins = new Set([...underWay.keys(), ...breaker.slowOrigins]);
    return new Map([...origins].map((origin) => [origin, most(origin) - (underWay.get(origin) ?? 0)]));
  }

  enter(origin: string, now: number): Slot {
    return this.#inFlight.enter(origin, now);
  }

  /** A place for one that has waited for its next try, to an origin that is in order; null: there is none. */
  enterAgain(origin: string, now: number): Slot | null {
    const isFree = !this.#needs.breaker.isSlow(origin) && this.#inFlight.hasRoomFor(origin, now);
    return isFree ? this.enter(origin, now) : null;
  }

  /** Likewise for one that is new, where nobody waits for that place. */
  enterAtOnce(origin: string, now: number): Slot | null {
    return this.#mayBeWaitedFor(origin) ? null : this.enterAgain(origin, now);
  }

  /** The request is over and its place free; what remains is to record it. */
  answered(slot: Slot): void {
    this.#inFlight.answered(slot);
    this.#tell(slot);
  }

  leave(slot: Slot): void {
    this.#inFlight.leave(slot);
    this.#tell(slot);
  }

  /** Somebody looks along the line, and what was known of it is out of date. */
  lookAlongLine(): void {
    this.#line = "anybody";
  }

  /** What is left in line. `hasMore`: there was room in all for more than was found, so that what is left waits for its own origin. */
  leaveInLine({ anyDue, hasMore }: { readonly anyDue: boolean; readonly hasMore: boolean }): void {
    if (!anyDue) this.#line = NOBODY;
    else this.#line = hasMore ? this.#crowded() : "anybody";
  }

  /** When there is more without anything having ended; null: never. */
  nextAt(now: number): number | null {
    return earlier(this.#needs.breaker.nextProbeAt(now), this.#inFlight.nextRoomAt(now));
  }

  #crowded(): ReadonlySet<string> {
    const { limits, breaker } = this.#needs;
    const full = [...this.#inFlight.perOrigin].filter(([, count]) => count >= limits.perOrigin);
    return new Set([...full.map(([origin]) => origin), ...breaker.slowOrigins]);
  }

  #mayBeWaitedFor(origin: string): boolean {
    return this.#line === "anybody" || this.#line.has(origin);
  }

  #tell({ origin }: Slot): void {
    if (this.#mayBeWaitedFor(origin)) this.#needs.wake();
  }
}

/** Of two times, either of which may be never (null). */
export function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
