import type { CircuitBreaker } from "./circuit-breaker.ts";
import { InFlight } from "./in-flight.ts";
import type { InFlightLimits, Ticket } from "./in-flight.ts";

/** How many requests may be begun: within the limits, and slowly to origins that keep failing. Times are epoch ms. */
export class Room {
  readonly inFlight: InFlight;
  readonly #limits: InFlightLimits;
  readonly #breaker: CircuitBreaker;

  constructor(limits: InFlightLimits, breaker: CircuitBreaker) {
    this.inFlight = new InFlight(limits);
    this.#limits = limits;
    this.#breaker = breaker;
  }

  /** The origins that may have fewer requests than others: they have some under way, or are in the slow lane. */
  ofOrigins(now: number): ReadonlyMap<string, number> {
    const underWay = this.inFlight.perOrigin;
    const most = (origin: string): number =>
      this.#breaker.isSlow(origin) ? this.#breaker.roomForProbe(origin, now) : this.#limits.perOrigin;
    const origins = new Set([...underWay.keys(), ...this.#breaker.slowOrigins]);
    return new Map([...origins].map((origin) => [origin, most(origin) - (underWay.get(origin) ?? 0)]));
  }

  /** A place for one to an origin that is in order; null: there is none. */
  enterIfFree(origin: string, now: number): Ticket | null {
    const isFree = !this.#breaker.isSlow(origin) && this.inFlight.hasRoomFor(origin, now);
    return isFree ? this.inFlight.enter(origin, now) : null;
  }

  /** When there is more without anything having ended; null: never. */
  nextAt(now: number): number | null {
    return earlier(this.#breaker.nextProbeAt(now), this.inFlight.nextRoomAt(now));
  }
}

/** Of two times, either of which may be never (null). */
export function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
