/** Whether a receiver is being spared (SEP-3415, `deliveryStatus.throttled`): its deliveries are delayed, and do not fail. */
import type { RetryPolicy } from "./retry.ts";

const TOO_MANY_REQUESTS = 429;

/** A delivery that waits for its next attempt. */
export interface WaitingDelivery {
  /** Epoch ms. */
  readonly nextAttemptAt: number;
  readonly lastAttempt: {
    /** From 1, or from 1 again once the delivery was opened again. */
    readonly number: number;
    readonly endedAt: number;
    readonly statusCode: number | null;
  };
}

/** Until when (epoch ms) receivers have asked to be spared; null: none of these deliveries waits for that. */
export function sparedUntil(waiting: readonly WaitingDelivery[], policy: RetryPolicy): number | null {
  const times = waiting.filter((one) => waitsAsAsked(one, policy)).map(({ nextAttemptAt }) => nextAttemptAt);
  return times.length === 0 ? null : Math.max(...times);
}

/** By 429, or by a `Retry-After` that asked for more time than the schedule gives. */
function waitsAsAsked({ nextAttemptAt, lastAttempt }: WaitingDelivery, { waitsMs, jitter }: RetryPolicy): boolean {
  const { number, endedAt, statusCode } = lastAttempt;
  if (statusCode === TOO_MANY_REQUESTS) return true;
  const scheduledMs = waitsMs[number - 1];
  return (
    statusCode !== null && scheduledMs !== undefined && nextAttemptAt - endedAt > Math.ceil(scheduledMs * (1 + jitter))
  );
}
