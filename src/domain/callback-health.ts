/** How a callback's receiver has been doing, and when it has failed for so long that the callback is disabled. */
import type { AttemptError } from "./attempt.ts";

/** gone: the receiver answered 410. failing: its attempts have failed for longer than the policy bears; what it is owed waits. */
export type DisabledReason = "gone" | "failing";

export interface CallbackHealth {
  /** Epoch ms of the first failed attempt since the last that got through; null: in order, or nothing was tried yet. */
  readonly failingSince: number | null;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Of the last attempt; null: it got through, or nothing was tried yet. */
  readonly lastError: AttemptError | null;
  /** Null: not disabled. */
  readonly disabledReason: DisabledReason | null;
  readonly disabledAt: number | null;
}

/** With what only its attempts tell. */
export interface CallbackRecord extends CallbackHealth {
  /** Epoch ms at which an attempt last got through; null: none has, of those that are kept. */
  readonly lastDeliveryAt: number | null;
}

/** Both must be reached: time alone would judge a receiver by a handful of attempts, attempts alone by a bad minute. */
export interface DisablePolicy {
  readonly forMs: number;
  readonly failuresMin: number;
}

/** As many as a whole retry schedule has, so that no first delivery is cut short. */
export const DISABLE_FAILURES_MIN = 10;

export function shouldDisable(
  { failingSince, failures }: Pick<CallbackHealth, "failingSince" | "failures">,
  now: number,
  policy: DisablePolicy,
): boolean {
  if (failingSince === null) return false;
  return now - failingSince >= policy.forMs && failures >= policy.failuresMin;
}
