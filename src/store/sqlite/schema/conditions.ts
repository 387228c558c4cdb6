import { sql } from "../engine/drizzle.ts";
import { POISON_CRASHES } from "../../../domain/task.ts";

/**
 * The conditions of the partial indexes. SQLite uses such an index only for a query that repeats its condition word by word, with
 * literals, so queries take it from here.
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
/** What register_callback has made: of the two kinds of callbacks the one that a task, a client and a URL name. */
export const callbackIsRegistered = sql.raw(`"subscription_id" is null`);
export const callbackIsSubscription = sql.raw(`"subscription_id" is not null`);
/** Its time may be over all the same: that is the reader's to judge, who knows what time it is. */
export const subscriptionIsUp = sql.raw(`"subscription_id" is not null and "status" <> 'removed'`);
export const subscriptionIsPending = sql.raw(`"event_seq" is not null and "status" in ('pending', 'sending')`);
/** What register_callback has made and what hears of progress; others outnumber it by far. */
export const callbackHearsProgress = sql.raw(
  `"subscription_id" is null and "status" = 'active' and instr("events", 'task_progress') > 0`,
);
/** What readers of the log see: there may be many times as much progress. */
export const eventIsEnd = sql.raw(`"type" <> 'task_progress'`);
export const callbackIsDisabled = sql.raw(`"status" = 'disabled'`);
