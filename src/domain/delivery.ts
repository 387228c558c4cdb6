import type { Attempt, Outcome } from "./attempt.ts";
import type { EventType } from "./event.ts";
import { clampToDeadline } from "./not-after.ts";
import { retryAfterMs } from "./retry-after.ts";
import { waitAfter } from "./retry.ts";
import type { RetryPolicy } from "./retry.ts";

/**
 * pending(nextAttemptAt) → sending → delivered | pending(later) | exhausted | cancelled.
 * pending: the dispatcher claims it when it is due. Without a time it is held until its callback, which is disabled, is enabled.
 * sending: claimed. At start the claims of a process that died are released: pending again.
 * exhausted: given up; the last attempt says why, or the reason. cancelled: withdrawn before it was delivered.
 * Redelivery makes a delivered, exhausted or cancelled one pending again: due now, its attempts kept, its schedule new.
 */
export const DELIVERY_STATUSES = ["pending", "sending", "delivered", "exhausted", "cancelled"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/**
 * Why a delivery ended, where its attempts do not say it. not_after: the callback's time was over before its schedule was. expired: its
 * subscription was not refreshed in time. superseded: it was of progress, and newer progress came, or the end.
 */
export const DELIVERY_REASONS = ["not_after", "expired", "superseded"] as const;
export type DeliveryReason = (typeof DELIVERY_REASONS)[number];

export interface Delivery {
  readonly id: string;
  readonly eventId: string;
  readonly event: EventType;
  readonly status: DeliveryStatus;
  readonly attemptCount: number;
  readonly nextAttemptAt: number | null;
  readonly reason: DeliveryReason | null;
  readonly attempts: readonly Attempt[];
}

/** The step of a delivery after an attempt. `disablesCallback`: the receiver is gone permanently. */
export type NextStep =
  | { readonly status: "delivered" }
  | { readonly status: "pending"; readonly waitMs: number }
  | { readonly status: "exhausted"; readonly disablesCallback: boolean; readonly reason?: DeliveryReason };

export const GONE = 410;
const CONTENT_TOO_LARGE = 413;

export interface AttemptMade {
  /** From 1. A redelivery starts a new schedule, so the number is 1 again. */
  readonly numberInSchedule: number;
  readonly outcome: Outcome;
  /** Epoch ms by this server's clock, which a date in `Retry-After` is compared with. */
  readonly endedAt: number;
  /** The callback's, epoch ms. */
  readonly notAfter: number | null;
  /** A subscription outlives a 410, which ends this delivery only, and its time may still be extended. */
  readonly isToSubscription: boolean;
}

/** The rule of the step. Nothing else decides it. */
export function afterAttempt(attempt: AttemptMade, policy: RetryPolicy, random: () => number): NextStep {
  const { outcome } = attempt;
  if (outcome.error === null) return { status: "delivered" };
  if (outcome.statusCode === GONE) return { status: "exhausted", disablesCallback: !attempt.isToSubscription };
  const isFinal = outcome.statusCode === null ? outcome.isPermanent === true : outcome.statusCode === CONTENT_TOO_LARGE;
  const wantedMs = isFinal ? null : waitFor(attempt, policy, random);
  if (wantedMs === null) return { status: "exhausted", disablesCallback: false };
  const notAfter = attempt.isToSubscription ? null : attempt.notAfter;
  const waitMs = clampToDeadline(notAfter, wantedMs, attempt.endedAt);
  if (waitMs === null) return { status: "exhausted", disablesCallback: false, reason: "not_after" };
  return { status: "pending", waitMs };
}

/** The schedule gives the number of attempts and the shortest wait; a receiver that asks for more time gets it. Null: no further attempt. */
function waitFor(
  { numberInSchedule, outcome, endedAt }: AttemptMade,
  policy: RetryPolicy,
  random: () => number,
): number | null {
  const scheduledMs = waitAfter(policy, numberInSchedule, random);
  if (scheduledMs === null || outcome.statusCode === null || outcome.retryAfter === undefined) return scheduledMs;
  return Math.max(scheduledMs, retryAfterMs(outcome.retryAfter, endedAt));
}
