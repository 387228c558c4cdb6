/** Whether a receiver is throttled (SEP-3415, `deliveryStatus.throttled`): its deliveries are delayed as it has asked, and do not fail. */
import type { RetryPolicy } from "./retry.ts";

const TOO_MANY_REQUESTS = 429;

/** A delivery that waits for its next attempt. */
export interface WaitingDelivery {
  /** Epoch ms. */
  readonly nextAttemptAt: number;
  readonly lastAttempt: {
    /** As in AttemptMade. */
    readonly numberInSchedule: number;
    readonly endedAt: number;
    readonly statusCode: number | null;
  };
}

/** Until when (epoch ms) the receivers have asked for a delay; null: none of these deliveries waits for that. */
export function throttledUntil(waiting: readonly WaitingDelivery[], policy: RetryPolicy): number | null {
  const times = waiting.filter((one) => isThrottled(one, policy)).map(({ nextAttemptAt }) => nextAttemptAt);
  return times.length === 0 ? null : Math.max(...times);
}

/** The answer was 429, or had a `Retry-After` that is longer than the schedule's wait. */
function isThrottled({ nextAttemptAt, lastAttempt }: WaitingDelivery, { waitsMs, jitter }: RetryPolicy): boolean {
  const { numberInSchedule, endedAt, statusCode } = lastAttempt;
  if (statusCode === TOO_MANY_REQUESTS) return true;
  const scheduledMs = waitsMs[numberInSchedule - 1];
  return (
    statusCode !== null && scheduledMs !== undefined && nextAttemptAt - endedAt > Math.ceil(scheduledMs * (1 + jitter))
  );
}
