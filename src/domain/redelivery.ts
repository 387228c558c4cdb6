import type { DisabledReason } from "./callback-health.ts";
import type { CallbackStatus } from "./callback.ts";
import type { EventType } from "./event.ts";
import { isExpired } from "./not-after.ts";

/** gone, failing: the callback is disabled for this reason. progress: the delivery is of progress, which is of no use afterwards. */
export type RedeliveryRefusal = DisabledReason | "removed" | "past_not_after" | "progress";

export interface RedeliveryTarget {
  readonly status: CallbackStatus;
  readonly disabledReason: DisabledReason | null;
  /** Epoch ms; null: no end. */
  readonly notAfter: number | null;
}

/** Why nothing is sent to a callback again; null: it may be. `event`: null where no single delivery is meant. */
export function redeliveryRefusal(
  { status, disabledReason, notAfter }: RedeliveryTarget,
  event: EventType | null,
  now: number,
): RedeliveryRefusal | null {
  if (event === "task_progress") return "progress";
  if (status === "removed") return "removed";
  if (status === "disabled") return disabledReason ?? "gone";
  return isExpired(notAfter, now) ? "past_not_after" : null;
}
