import { and, isNull } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import type { EndEvent } from "../../../domain/event.ts";
import type { Task } from "../../../domain/task.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { fanOutEventColumns } from "../deliveries/fan-out.ts";
import type { EnqueueDelivery } from "../deliveries/fan-out.ts";
import { toEventTypes } from "../callbacks/rows.ts";
import { subscriptionIsNotRemoved } from "../schema/conditions.ts";
import { callbacks } from "../schema/tables.ts";
import { isInTime } from "./statements.ts";
import { prepareWatermark } from "./watermark.ts";
import { equals } from "../engine/parameters.ts";

/** Enqueues an event for the live subscriptions that select it, within the caller's transaction. */
export function prepareSubscriptionFanOut(db: SqliteConnection["db"]) {
  const watermarkOf = prepareWatermark(db);
  const subscribed = prepareSubscribed(db);

  return (
    { principal, taskId }: Pick<Task, "principal" | "taskId">,
    { seq, event }: { readonly seq: number; readonly event: EndEvent },
    now: number,
    enqueueDelivery: EnqueueDelivery,
  ): void => {
    const selected = [...subscribed.toTask.all({ principal, taskId, now }), ...subscribed.toAny.all({ principal, now })]
      .filter((subscription) => toEventTypes(subscription.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1));
    for (const subscription of selected)
      enqueueDelivery(subscription, { seq, cursor: watermarkOf.once(subscription.id, seq) });
  };
}

/** Two statements, since one would read every subscription of the principal for each task that ends. */
function prepareSubscribed(db: SqliteConnection["db"]) {
  const subscribedTo = (task: SQL) =>
    db
      .select({ ...fanOutEventColumns, notAfter: callbacks.expiresAt, events: callbacks.events })
      .from(callbacks)
      .where(and(subscriptionIsNotRemoved, equals(callbacks.principal, "principal"), task, isInTime))
      .prepare();
  return {
    toTask: subscribedTo(equals(callbacks.taskId, "taskId")),
    toAny: subscribedTo(isNull(callbacks.taskId)),
  };
}
