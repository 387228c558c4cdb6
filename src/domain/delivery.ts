import type { Attempt, Outcome } from "./attempt.ts";
import type { EventType } from "./event.ts";
import { waitAfter } from "./retry-policy.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/**
 * pending(nextAttemptAt) → sending → delivered | pending(later) | exhausted | cancelled.
 * pending: the dispatcher claims it when it is due. sending: claimed; a dead process's claim goes back to pending at start.
 * exhausted: we gave up, and the last attempt says why. cancelled: withdrawn before it got through.
 * Redelivery opens a delivered, exhausted or cancelled one again: pending, due now, its attempts kept and its schedule anew.
 */
export const DELIVERY_STATUSES = ["pending", "sending", "delivered", "exhausted", "cancelled"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface Delivery {
  readonly id: string;
  readonly eventId: string;
  readonly event: EventType;
  readonly status: DeliveryStatus;
  readonly attemptCount: number;
  readonly nextAttemptAt: number | null;
  readonly attempts: readonly Attempt[];
}

/** What becomes of a delivery once an attempt is over. `disablesCallback`: the receiver is gone for good. */
export type NextStep =
  | { readonly status: "delivered" }
  | { readonly status: "pending"; readonly waitMs: number }
  | { readonly status: "exhausted"; readonly disablesCallback: boolean };

const GONE = 410;
const CONTENT_TOO_LARGE = 413;

/** The only place that decides it. `number`: of the attempt that is over, from 1, or from 1 again once it was opened again. */
export function afterAttempt(number: number, outcome: Outcome, policy: RetryPolicy, random: () => number): NextStep {
  if (outcome.error === null) return { status: "delivered" };
  if (outcome.statusCode === GONE) return { status: "exhausted", disablesCallback: true };
  const isFinal = outcome.error === "blocked" || outcome.statusCode === CONTENT_TOO_LARGE;
  const waitMs = isFinal ? null : waitAfter(policy, number, random);
  return waitMs === null ? { status: "exhausted", disablesCallback: false } : { status: "pending", waitMs };
}
