/** How many requests may be under way. */
export interface InFlightLimits {
  /** In all: 32 to 64 is the sweet spot on two cores (measured; more is slower). */
  readonly total: number;
  /** To one origin, so that a slow receiver cannot hold all of them. */
  readonly perOrigin: number;
}

/** Counts the requests under way, in all and for each origin. Nobody waits in here: what has no room waits in the store. */
export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #perOrigin = new Map<string, number>();
  #total = 0;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  get perOrigin(): ReadonlyMap<string, number> {
    return this.#perOrigin;
  }

  /** How many more there may be in all. */
  get room(): number {
    return Math.max(0, this.#limits.total - this.#total);
  }

  hasRoomFor(origin: string): boolean {
    return this.room > 0 && (this.#perOrigin.get(origin) ?? 0) < this.#limits.perOrigin;
  }

  enter(origin: string): void {
    this.#total++;
    this.#perOrigin.set(origin, (this.#perOrigin.get(origin) ?? 0) + 1);
  }

  leave(origin: string): void {
    this.#total--;
    const left = (this.#perOrigin.get(origin) ?? 1) - 1;
    if (left === 0) this.#perOrigin.delete(origin);
    else this.#perOrigin.set(origin, left);
  }
}
