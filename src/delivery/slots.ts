import { shareOf } from "../domain/fair-share.ts";
import type { Claimant } from "../domain/fair-share.ts";
import { originOf, principalOf } from "../domain/limit-key.ts";
import type { LimitKey } from "../domain/limit-key.ts";
import { Tally } from "./tally.ts";

/** How many requests may be in flight. */
export interface ConcurrencyLimits {
  /** Of those that started within the last 100 ms: 32 to 64 is best on two cores (measured; more is slower). */
  readonly total: number;
  /** To one origin, so that a slow receiver cannot take all slots. */
  readonly perOrigin: number;
  /** Several principals are known: each of these bounds is shared by domain/fair-share.ts. Otherwise one may use everything. */
  readonly isShared?: boolean;
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
 * Counts the requests in flight, in all, for each principal, origin and key, and the answers that are being recorded: a store that is slow or down slows new
 * requests to a halt. No queue: a delivery without a slot waits in the store.
 */
export class Slots {
  readonly #limits: ConcurrencyLimits;
  readonly #inFlight = new Tally();
  /** When each started, the oldest first. */
  readonly #recent = new Map<Slot, number>();
  readonly #slow = new Set<Slot>();
  readonly #recording = new Set<Slot>();
  readonly #toOrigin = new Tally();
  /** Of each principal: requests in flight, those of them that count against `total`, and answers that are being recorded. */
  readonly #ofPrincipal = { inFlight: new Tally(), recent: new Tally(), recording: new Tally() };
  /** The principals that a slot was acquired for, the least recent first. */
  readonly #served = new Set<string>();

  constructor(limits: ConcurrencyLimits) {
    this.#limits = limits;
  }

  /** Requests in flight for each key that has any. */
  get inFlight(): ReadonlyMap<LimitKey, number> {
    return this.#inFlight.counts;
  }

  /** How many slots are free at `now` (epoch ms). */
  free(now: number): number {
    this.#moveSlow(now);
    return Math.max(0, Math.min(...Object.values(this.#freeOf())));
  }

  /** How many of the free slots this principal may take. */
  shareOf(principal: string, now: number): number {
    const free = this.free(now);
    if (this.#limits.isShared !== true) return free;
    const { inFlight, recent, recording } = this.#freeOf();
    const held = this.#ofPrincipal;
    return Math.min(
      free,
      shareOf(held.inFlight.of(principal), inFlight),
      shareOf(held.recent.of(principal), recent),
      shareOf(held.recording.of(principal), recording),
    );
  }

  /** The principals that have had slots, the least recently served first. */
  claimants(now: number): ReadonlyMap<string, Claimant> {
    const { inFlight } = this.#ofPrincipal;
    return new Map(
      [...this.#served].map((principal) => [
        principal,
        { held: inFlight.of(principal), room: this.shareOf(principal, now) },
      ]),
    );
  }

  /** The principals that hold slots, and may take no more. */
  limitedPrincipals(now: number): readonly string[] {
    if (this.#limits.isShared !== true) return [];
    return [...this.#served].filter((principal) => this.shareOf(principal, now) === 0);
  }

  /** The free slots of each origin with requests in flight, for all principals together. */
  freeOfOrigins(): ReadonlyMap<string, number> {
    const { perOrigin } = this.#limits;
    return new Map([...this.#toOrigin.counts].map(([origin, count]) => [origin, perOrigin - count]));
  }

  /** How many more requests of this key its origin may get. */
  freeOfKey(key: LimitKey): number {
    const { perOrigin, isShared } = this.#limits;
    const free = Math.max(0, perOrigin - this.#toOrigin.of(originOf(key)));
    return isShared === true ? shareOf(this.#inFlight.of(key), free) : free;
  }

  /** When the passing of time frees a slot (epoch ms). Null: one is free for each principal now, or only an answer or its record can free one. */
  nextFreeAt(now: number): number | null {
    const isLimited = this.free(now) === 0 || this.limitedPrincipals(now).length > 0;
    if (!isLimited || this.#recording.size >= this.#limits.total) return null;
    const [oldest] = this.#recent.values();
    return oldest === undefined ? null : oldest + SLOW_AFTER_MS;
  }

  isFreeFor(key: LimitKey, now: number): boolean {
    return this.shareOf(principalOf(key), now) > 0 && this.freeOfKey(key) > 0;
  }

  /** Beyond the limits too: the caller has counted what is free. */
  acquire(key: LimitKey, now: number): Slot {
    const slot = { key };
    const principal = principalOf(key);
    this.#recent.set(slot, now);
    this.#toOrigin.add(originOf(key));
    this.#ofPrincipal.inFlight.add(principal);
    this.#ofPrincipal.recent.add(principal);
    this.#served.delete(principal);
    this.#served.add(principal);
    this.#inFlight.add(key);
    return slot;
  }

  /** The request is over; its record is still to be made. */
  startRecording(slot: Slot): void {
    this.#endRequest(slot);
    this.#recording.add(slot);
    this.#ofPrincipal.recording.add(principalOf(slot.key));
  }

  release(slot: Slot): void {
    if (this.#recording.delete(slot)) this.#ofPrincipal.recording.remove(principalOf(slot.key));
    else this.#endRequest(slot);
  }

  #endRequest(slot: Slot): void {
    const { key } = slot;
    if (this.#recent.delete(slot)) this.#ofPrincipal.recent.remove(principalOf(key));
    else this.#slow.delete(slot);
    this.#toOrigin.remove(originOf(key));
    this.#ofPrincipal.inFlight.remove(principalOf(key));
    this.#inFlight.remove(key);
  }

  #moveSlow(now: number): void {
    for (const [slot, startedAt] of this.#recent) {
      if (startedAt + SLOW_AFTER_MS > now) return;
      this.#recent.delete(slot);
      this.#ofPrincipal.recent.remove(principalOf(slot.key));
      this.#slow.add(slot);
    }
  }

  /** What each bound leaves free. */
  #freeOf() {
    const { total } = this.#limits;
    return {
      inFlight: total * IN_FLIGHT_PER_TOTAL - this.#recent.size - this.#slow.size,
      recent: total - this.#recent.size,
      recording: total - this.#recording.size,
    };
  }
}
