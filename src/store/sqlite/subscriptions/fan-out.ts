import { and, isNull } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import type { EndEvent } from "../../../domain/event.ts";
import type { Task } from "../../../domain/task.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import type { EnqueueDelivery } from "../deliveries/fan-out.ts";
import { toEventTypes } from "../schema/rows.ts";
import { subscriptionIsNotRemoved } from "../schema/conditions.ts";
import { callbacks } from "../schema/tables.ts";
import { isInTime } from "./statements.ts";
import { prepareWatermark } from "./watermark.ts";
import { equals } from "../engine/parameters.ts";

/** Owes an event to the live subscriptions that selected it, within the caller's transaction. */
export function prepareSubscriptionOutbox(db: SqliteConnection["db"]) {
  const watermarkOf = prepareWatermark(db);
  const listening = prepareListening(db);

  return (
    { principal, taskId }: Pick<Task, "principal" | "taskId">,
    { seq, event }: { readonly seq: number; readonly event: EndEvent },
    now: number,
    enqueueDelivery: EnqueueDelivery,
  ): void => {
    const selected = [...listening.toTask.all({ principal, taskId, now }), ...listening.toAny.all({ principal, now })]
      .filter((subscription) => toEventTypes(subscription.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1));
    for (const subscription of selected)
      enqueueDelivery(
        { ...subscription, notAfter: subscription.expiresAt },
        { seq, cursor: watermarkOf.once(subscription.id, seq) },
      );
  };
}

/** Two questions, since one would read every subscription of the principal for each task that ends. */
function prepareListening(db: SqliteConnection["db"]) {
  const listeningTo = (task: SQL) =>
    db
      .select()
      .from(callbacks)
      .where(and(subscriptionIsNotRemoved, equals(callbacks.principal, "principal"), task, isInTime))
      .prepare();
  return {
    toTask: listeningTo(equals(callbacks.taskId, "taskId")),
    toAny: listeningTo(isNull(callbacks.taskId)),
  };
}
