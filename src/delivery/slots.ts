/** How many requests may be under way. */
export interface ConcurrencyLimits {
  /** Of those that were begun within the last tenth of a second: 32 to 64 is the sweet spot on two cores (measured; more is slower). */
  readonly total: number;
  /** To one origin, so that a slow receiver cannot hold all of them. */
  readonly perOrigin: number;
}

/** A request that has waited this long for its answer costs no more than memory: it leaves its place to others. */
const WAITING_MS = 100;
/** Requests under way of any age, as a multiple of `total`: each holds a connection and its body. */
const ALL_PER_TOTAL = 8;

/** One request under way. */
export interface Slot {
  readonly origin: string;
}

/**
 * Counts the requests under way, in all and for each origin, and the answers that are being recorded: a store that is slow or down
 * slows new requests to a halt. Nobody waits in here: what has no room waits in the store.
 */
export class Slots {
  readonly #limits: ConcurrencyLimits;
  readonly #perOrigin = new Map<string, number>();
  /** When each was begun, the oldest first. */
  readonly #busy = new Map<Slot, number>();
  readonly #waiting = new Set<Slot>();
  readonly #answered = new Set<Slot>();

  constructor(limits: ConcurrencyLimits) {
    this.#limits = limits;
  }

  get perOrigin(): ReadonlyMap<string, number> {
    return this.#perOrigin;
  }

  /** How many more there may be at `now` (epoch ms). */
  room(now: number): number {
    this.#letWait(now);
    const { total } = this.#limits;
    const all = this.#busy.size + this.#waiting.size;
    return Math.max(0, Math.min(total - this.#busy.size, total * ALL_PER_TOTAL - all, total - this.#answered.size));
  }

  /** When a place becomes free by waiting (epoch ms), if there is none at `now`; null: there is one, or only an answer or its record can free one. */
  nextRoomAt(now: number): number | null {
    if (this.room(now) > 0 || this.#answered.size >= this.#limits.total) return null;
    const [oldest] = this.#busy.values();
    return oldest === undefined ? null : oldest + WAITING_MS;
  }

  hasRoomFor(origin: string, now: number): boolean {
    return this.room(now) > 0 && (this.#perOrigin.get(origin) ?? 0) < this.#limits.perOrigin;
  }

  enter(origin: string, now: number): Slot {
    const slot = { origin };
    this.#busy.set(slot, now);
    this.#perOrigin.set(origin, (this.#perOrigin.get(origin) ?? 0) + 1);
    return slot;
  }

  /** The request is over and its place free; what remains is to record it. */
  answered(slot: Slot): void {
    this.#leaveOrigin(slot);
    this.#answered.add(slot);
  }

  leave(slot: Slot): void {
    if (!this.#answered.delete(slot)) this.#leaveOrigin(slot);
  }

  #leaveOrigin(slot: Slot): void {
    const { origin } = slot;
    if (!this.#busy.delete(slot)) this.#waiting.delete(slot);
    const left = (this.#perOrigin.get(origin) ?? 1) - 1;
    if (left === 0) this.#perOrigin.delete(origin);
    else this.#perOrigin.set(origin, left);
  }

  #letWait(now: number): void {
    for (const [slot, begunAt] of this.#busy) {
      if (begunAt + WAITING_MS > now) return;
      this.#busy.delete(slot);
      this.#waiting.add(slot);
    }
  }
}
