import { and, isNull } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import type { EndEvent } from "../../../domain/event.ts";
import type { Task } from "../../../domain/task.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import type { Owe } from "../deliveries/fan-out.ts";
import { toEventTypes } from "../schema/rows.ts";
import { subscriptionIsUp } from "../schema/conditions.ts";
import { callbacks } from "../schema/tables.ts";
import { isInTime } from "./statements.ts";
import { prepareWatermark } from "./watermark.ts";
import { isGiven } from "../engine/parameters.ts";

/** Owes an event to the live subscriptions that selected it, within the caller's transaction. */
export function prepareSubscriptionOutbox(db: SqliteConnection["db"]) {
  const watermarkOf = prepareWatermark(db);
  const listening = prepareListening(db);

  return (
    { principal, taskId }: Pick<Task, "principal" | "taskId">,
    { seq, event }: { readonly seq: number; readonly event: EndEvent },
    now: number,
    owe: Owe,
  ): void => {
    const selected = [...listening.toTask.all({ principal, taskId, now }), ...listening.toAny.all({ principal, now })]
      .filter((subscription) => toEventTypes(subscription.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1));
    for (const subscription of selected) owe(subscription, { seq, cursor: watermarkOf.once(subscription.id, seq) });
  };
}

/** Two questions, since one would read every subscription of the principal for each task that ends. */
function prepareListening(db: SqliteConnection["db"]) {
  const listeningTo = (task: SQL) =>
    db
      .select()
      .from(callbacks)
      .where(and(subscriptionIsUp, isGiven(callbacks.principal, "principal"), task, isInTime))
      .prepare();
  return {
    toTask: listeningTo(isGiven(callbacks.taskId, "taskId")),
    toAny: listeningTo(isNull(callbacks.taskId)),
  };
}
