import { mayAskToWait } from "../domain/attempt.ts";
import type { Outcome } from "../domain/attempt.ts";
import { retryAfterMs } from "../domain/retry-after.ts";
import type { ClaimedDelivery } from "../service/ports/delivery-store.ts";

/** The most receivers that are remembered; the oldest is forgotten first, and may then ask again. */
const HELD_MAX = 10_000;

type Receiver = Pick<ClaimedDelivery, "principal"> & { readonly callback: Pick<ClaimedDelivery["callback"], "url"> };

/**
 * Receivers that have asked for a time without requests (`Retry-After`). The wish is about a URL, so it holds all deliveries of the principal
 * to that URL. In memory only: after a restart the receiver is asked again. Times are epoch ms.
 */
export class ReceiverHolds {
  readonly #until = new Map<string, number>();

  record(receiver: Receiver, outcome: Outcome, endedAt: number): void {
    if (outcome.error === null) this.#until.delete(keyOf(receiver));
    if (outcome.statusCode === null || !mayAskToWait(outcome.statusCode) || outcome.retryAfter === undefined) return;
    const key = keyOf(receiver);
    const until = Math.max(this.#until.get(key) ?? 0, endedAt + retryAfterMs(outcome.retryAfter, endedAt));
    this.#until.delete(key);
    this.#until.set(key, until);
    if (this.#until.size > HELD_MAX) for (const [oldest] of this.#until) return void this.#until.delete(oldest);
  }

  /** Until when no request may be sent; null: one may be sent now. */
  heldUntil(receiver: Receiver, now: number): number | null {
    const key = keyOf(receiver);
    const until = this.#until.get(key) ?? null;
    if (until === null || until > now) return until;
    this.#until.delete(key);
    return null;
  }
}

function keyOf({ principal, callback }: Receiver): string {
  return `${principal}\n${callback.url}`;
}
