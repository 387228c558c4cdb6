export interface RetryPolicy {
  /** The wait after each failed attempt, in milliseconds: n waits mean n + 1 attempts. */
  readonly waitsMs: readonly number[];
  /** The share by which a wait may be shorter or longer: 0.2 is ±20 %; 0 is exact. */
  readonly jitter: number;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Standard Webhooks 1.0.0, "Deliverability and reliability": ten attempts in about 75 hours. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  waitsMs: [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
  ],
  jitter: 0.2,
};

/**
 * For subscriptions of MCP Events: five attempts in about 13 minutes. The first retry is soon, since a delivery that overtakes the answer
 * to the subscribe is refused with 503 by common clients, and taken two seconds later.
 */
export const EVENTS_RETRY_POLICY: RetryPolicy = {
  waitsMs: [2 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS],
  jitter: 0.2,
};

/** Milliseconds to wait after attempt `number` (from 1); null when it was the last. `random` gives numbers in [0, 1). */
export function waitAfter(policy: RetryPolicy, number: number, random: () => number): number | null {
  const wait = policy.waitsMs[number - 1];
  if (wait === undefined) return null;
  return Math.round(wait * (1 + policy.jitter * (2 * random() - 1)));
}
