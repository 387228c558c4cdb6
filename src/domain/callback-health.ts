/** How the attempts of a callback have gone, and when failures disable it. */
import type { AttemptError } from "./attempt.ts";

/** gone: the receiver answered 410. failing: its attempts have failed for longer than the policy allows, and its deliveries are held. */
export type DisabledReason = "gone" | "failing";

export interface CallbackHealth {
  /** When the first failed attempt since the last success ended (epoch ms); null: the last attempt succeeded, or there was none. */
  readonly failingSince: number | null;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Of the last attempt; null: it succeeded, or there was none. */
  readonly lastError: AttemptError | null;
  /** Null: not disabled. */
  readonly disabledReason: DisabledReason | null;
  readonly disabledAt: number | null;
}

/** Health with what is read from the attempts. */
export interface CallbackRecord extends CallbackHealth {
  /** When an attempt last succeeded (epoch ms); null: none of those that are kept did. */
  readonly lastDeliveryAt: number | null;
}

/** Both must be reached: time alone could be a handful of attempts, and attempts alone one bad minute. */
export interface DisablePolicy {
  readonly forMs: number;
  readonly failuresMin: number;
}

/** As many as a whole retry schedule has, so that the first delivery has all its attempts. */
export const DISABLE_FAILURES_MIN = 10;

export function shouldDisable(
  { failingSince, failures }: Pick<CallbackHealth, "failingSince" | "failures">,
  now: number,
  policy: DisablePolicy,
): boolean {
  if (failingSince === null) return false;
  return now - failingSince >= policy.forMs && failures >= policy.failuresMin;
}
