import { and, asc, eq, isNull, or, sql } from "drizzle-orm";
import type { Event } from "../../domain/event.ts";
import type { NewId } from "../../domain/ids.ts";
import type { Task } from "../../domain/task.ts";
import { prepareDeliveryInsert } from "./callbacks.ts";
import type { SqliteConnection } from "./connection.ts";
import { toEventTypes } from "./rows.ts";
import { callbacks, subscriptionIsUp } from "./schema.ts";
import { isInTime } from "./subscription-statements.ts";
import { prepareWatermark } from "./watermark.ts";

const bound = sql.placeholder;

/** Owes an event to the live subscriptions that selected it, within the caller's transaction; returns to how many. */
export function prepareSubscriptionOutbox(db: SqliteConnection["db"], newId: NewId) {
  const insertDelivery = prepareDeliveryInsert(db, newId);
  const watermarkOf = prepareWatermark(db);
  const listening = db
    .select()
    .from(callbacks)
    .where(
      and(
        subscriptionIsUp,
        eq(callbacks.principal, bound("principal")),
        or(isNull(callbacks.taskId), eq(callbacks.taskId, bound("taskId"))),
        isInTime,
      ),
    )
    .orderBy(asc(callbacks.id))
    .prepare();

  return (
    { principal, taskId }: Pick<Task, "principal" | "taskId">,
    { seq, event }: { readonly seq: number; readonly event: Event },
    now: number,
  ): number => {
    const selected = listening
      .all({ principal, taskId, now })
      .filter((subscription) => toEventTypes(subscription.events).includes(event.type));
    for (const subscription of selected) {
      insertDelivery(event.id, subscription, now, { seq, cursor: watermarkOf.once(subscription.id, seq) });
    }
    return selected.length;
  };
}
