import type { LimitKey } from "../domain/limit-key.ts";

/** How many requests may be in flight. */
export interface ConcurrencyLimits {
  /** Of those that started within the last 100 ms: 32 to 64 is best on two cores (measured; more is slower). */
  readonly total: number;
  /** To one origin, so that a slow receiver cannot take all slots. */
  readonly perOrigin: number;
}

/** A request without an answer for this long costs only memory: it no longer counts against `total`. */
const SLOW_AFTER_MS = 100;
/** The most requests in flight of any age, as a multiple of `total`: each holds a connection and its body. */
const IN_FLIGHT_PER_TOTAL = 8;

/** Held by one request from its start until it is recorded. */
export interface Slot {
  readonly key: LimitKey;
}

/**
 * Counts the requests in flight, in all and for each key, and the answers that are being recorded: a store that is slow or down slows new
 * requests to a halt. No queue: a delivery without a slot waits in the store.
 */
export class Slots {
  readonly #limits: ConcurrencyLimits;
  readonly #inFlight = new Map<LimitKey, number>();
  /** When each started, the oldest first. */
  readonly #recent = new Map<Slot, number>();
  readonly #slow = new Set<Slot>();
  readonly #recording = new Set<Slot>();

  constructor(limits: ConcurrencyLimits) {
    this.#limits = limits;
  }

  /** Requests in flight for each key that has any. */
  get inFlight(): ReadonlyMap<LimitKey, number> {
    return this.#inFlight;
  }

  /** How many slots are free at `now` (epoch ms). */
  free(now: number): number {
    this.#moveSlow(now);
    const { total } = this.#limits;
    const inFlight = this.#recent.size + this.#slow.size;
    return Math.max(
      0,
      Math.min(total - this.#recent.size, total * IN_FLIGHT_PER_TOTAL - inFlight, total - this.#recording.size),
    );
  }

  /** When the passing of time frees a slot (epoch ms). Null: one is free now, or only an answer or its record can free one. */
  nextFreeAt(now: number): number | null {
    if (this.free(now) > 0 || this.#recording.size >= this.#limits.total) return null;
    const [oldest] = this.#recent.values();
    return oldest === undefined ? null : oldest + SLOW_AFTER_MS;
  }

  isFreeFor(key: LimitKey, now: number): boolean {
    return this.free(now) > 0 && (this.#inFlight.get(key) ?? 0) < this.#limits.perOrigin;
  }

  /** Beyond the limits too: the caller has counted what is free. */
  acquire(key: LimitKey, now: number): Slot {
    const slot = { key };
    this.#recent.set(slot, now);
    this.#inFlight.set(key, (this.#inFlight.get(key) ?? 0) + 1);
    return slot;
  }

  /** The request is over; its record is still to be made. */
  startRecording(slot: Slot): void {
    this.#endRequest(slot);
    this.#recording.add(slot);
  }

  release(slot: Slot): void {
    if (!this.#recording.delete(slot)) this.#endRequest(slot);
  }

  #endRequest(slot: Slot): void {
    const { key } = slot;
    if (!this.#recent.delete(slot)) this.#slow.delete(slot);
    const remaining = (this.#inFlight.get(key) ?? 1) - 1;
    if (remaining === 0) this.#inFlight.delete(key);
    else this.#inFlight.set(key, remaining);
  }

  #moveSlow(now: number): void {
    for (const [slot, startedAt] of this.#recent) {
      if (startedAt + SLOW_AFTER_MS > now) return;
      this.#recent.delete(slot);
      this.#slow.add(slot);
    }
  }
}
