/** How many requests may be under way. */
export interface InFlightLimits {
  /** In all: 32 to 64 is the sweet spot on two cores (measured; more is slower). */
  readonly total: number;
  /** To one origin, so that a slow receiver cannot hold all of them. */
  readonly perOrigin: number;
}

/** Counts the requests under way, in all and for each origin, and lets those that must wait for room in, first come first served. */
export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #perOrigin = new Map<string, number>();
  readonly #waiting = new Set<{ readonly origin: string; readonly enter: () => void }>();
  #total = 0;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  get perOrigin(): ReadonlyMap<string, number> {
    return this.#perOrigin;
  }

  /** How many more may be claimed; those who wait for room come first. */
  get room(): number {
    return Math.max(0, this.#limits.total - this.#total - this.#waiting.size);
  }

  enter(origin: string): void {
    this.#total++;
    this.#perOrigin.set(origin, (this.#perOrigin.get(origin) ?? 0) + 1);
  }

  /** Enters as soon as there is room; resolves without having entered (false) when `signal` aborts first. */
  async enterWhenThereIsRoom(origin: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#hasRoom(origin)) {
      this.enter(origin);
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const entry = { origin, enter: () => resolve(true) };
    const giveUp = (): void => {
      this.#waiting.delete(entry);
      resolve(false);
    };
    this.#waiting.add(entry);
    signal.addEventListener("abort", giveUp, { once: true });
    const entered = await promise;
    signal.removeEventListener("abort", giveUp);
    return entered;
  }

  leave(origin: string): void {
    this.#total--;
    const left = (this.#perOrigin.get(origin) ?? 1) - 1;
    if (left === 0) this.#perOrigin.delete(origin);
    else this.#perOrigin.set(origin, left);
    this.#admitNext();
  }

  #hasRoom(origin: string): boolean {
    return this.#total < this.#limits.total && (this.#perOrigin.get(origin) ?? 0) < this.#limits.perOrigin;
  }

  #admitNext(): void {
    for (const entry of this.#waiting) {
      if (!this.#hasRoom(entry.origin)) continue;
      this.#waiting.delete(entry);
      this.enter(entry.origin);
      entry.enter();
      return;
    }
  }
}
