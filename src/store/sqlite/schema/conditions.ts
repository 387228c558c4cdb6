import { sql } from "../engine/drizzle.ts";
import { POISON_CRASHES } from "../../../domain/task.ts";

/**
 * The conditions of the partial indexes. SQLite uses a partial index only for a query that repeats its condition word by word, with
 * literals. So queries import the condition from here.
 */
export const taskIsOpen = sql.raw(`"status" in ('pending', 'running')`);
export const AWAITS_HANDLER = `"status" = 'pending' and "executor" = 'handler'`;
export const taskAwaitsHandler = sql.raw(AWAITS_HANDLER);
export const taskIsPoison = sql.raw(`${AWAITS_HANDLER} and "crashes" >= ${POISON_CRASHES}`);
export const taskAwaitsWorker = sql.raw(`"status" = 'pending' and "executor" = 'worker'`);
export const taskIsLeased = sql.raw(`"status" = 'running' and "lease_until" is not null`);
export const taskIsOfMcp = sql.raw(`"mcp_task" = 1`);
export const taskHasEnded = sql.raw(`"finished_at" is not null`);
export const deliveryIsOpen = sql.raw(`"status" in ('pending', 'sending')`);
export const PENDING = `"status" = 'pending'`;
export const deliveryIsPending = sql.raw(PENDING);
export const deliveryMayExpire = sql.raw(`${PENDING} and "not_after" is not null`);
export const deliveryIsSending = sql.raw(`"status" = 'sending'`);
export const callbackIsAwaiting = sql.raw(`"awaits_task" = 1 and "status" = 'active'`);
/** A callback that register_callback made. Task, client and URL identify it. */
export const callbackIsRegistered = sql.raw(`"subscription_id" is null`);
export const callbackIsSubscription = sql.raw(`"subscription_id" is not null`);
/** It may have expired: the query compares `expires_at` with the time. */
export const subscriptionIsNotRemoved = sql.raw(`"subscription_id" is not null and "status" <> 'removed'`);
export const subscriptionIsPending = sql.raw(`"event_seq" is not null and "status" in ('pending', 'sending')`);
/** An active registered callback that selects task_progress. Most callbacks do not. */
export const callbackSelectsProgress = sql.raw(
  `"subscription_id" is null and "status" = 'active' and instr("events", 'task_progress') > 0`,
);
/** Readers of the log see these. Progress events may be many times as many. */
export const eventIsEnd = sql.raw(`"type" <> 'task_progress'`);
export const callbackIsDisabled = sql.raw(`"status" = 'disabled'`);
