import { and, eq, sql } from "./drizzle.ts";
import { eventDataOf, eventTypeOf } from "../../domain/event.ts";
import type { EndEvent, Event } from "../../domain/event.ts";
import type { NewId } from "../../domain/ids.ts";
import type { Task, TaskOutcome } from "../../domain/task.ts";
import type { CancelTask, FinishTask, FinishTaskResult, Store } from "../../service/ports.ts";
import { owedColumns, prepareDeliveryInsert } from "./callbacks.ts";
import { prepareUseOfCompletion } from "./completions.ts";
import type { SqliteConnection } from "./connection.ts";
import { prepareEventInsert } from "./event-log.ts";
import { prepareSupersede } from "./progress.ts";
import { toEventTypes } from "./rows.ts";
import { prepareSubscriptionOutbox } from "./subscription-outbox.ts";
import { callbackIsRegistered, callbacks, counters, taskIsOpen, tasks } from "./schema.ts";
import { isGiven } from "./parameters.ts";

type TaskEndVerbs = Pick<Store, "finishTask" | "cancelTask">;
type EndedTask = Pick<Task, "id" | "principal" | "taskId" | "clientId"> & { readonly eventCount: number };

const bound = sql.placeholder;

export function taskEndVerbs({ db, write }: SqliteConnection, newId: NewId): TaskEndVerbs {
  const statements = { ...prepareEnds(db), ...prepareNews(db) };
  const insertDelivery = prepareDeliveryInsert(db, newId);
  const completions = prepareUseOfCompletion(db);
  const supersedeProgress = prepareSupersede(db);
  const tellSubscriptions = prepareSubscriptionOutbox(db, newId);

  function finish({ id, outcome, now, right }: FinishTask): FinishTaskResult | null {
    if (right?.kind === "completion" && !completions.isUsable(right.digest, now)) return null;
    const lease = {
      leaseDigest: right?.kind === "lease" ? right.leaseDigest : null,
      lapsedAt: right?.kind === "lapse" ? right.leaseUntil : null,
    };
    const task = statements.finish.get({ id, now, ...lease, ...endColumns(outcome) });
    if (task === undefined) return null;
    if (right?.kind === "completion") completions.use(right.digest, now);
    return tell(task, outcome, now);
  }

  function cancel({ id, error, now }: CancelTask): FinishTaskResult | null {
    const outcome = { status: "cancelled", error } as const;
    const task = statements.cancel.get({ id, now, ...endColumns(outcome) });
    return task === undefined ? null : tell(task, outcome, now);
  }

  /** What every end brings about, in the transaction that ends the task. */
  function tell(task: EndedTask, outcome: TaskOutcome, now: number): FinishTaskResult {
    const event: EndEvent = {
      id: newId("evt"),
      type: eventTypeOf(outcome.status),
      occurredAt: now,
      data: eventDataOf(task, outcome, task.eventCount),
    };
    // Nothing is told of how far it was once it has ended.
    if (task.eventCount > 1) supersedeProgress(task.id, now);
    const data = JSON.stringify(event.data);
    const { seq } = statements.insertEvent.get({ ...event, principal: task.principal, task: task.id, data });
    if (outcome.status === "completed") statements.countCompleted.run();
    return { event, deliveryCount: fillOutbox(task, event, now) + tellSubscriptions(task, { seq, event }, now) };
  }

  function fillOutbox({ principal, taskId }: EndedTask, event: Event, now: number): number {
    const waiting = statements.awaitEnd.all({ principal, taskId });
    const selected = waiting
      .filter((callback) => toEventTypes(callback.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1));
    for (const callback of selected) insertDelivery(event.id, callback, now);
    return selected.length;
  }

  return {
    async finishTask(command) {
      return write(() => finish(command), "fact", command.outboxFilled);
    },
    async cancelTask(command) {
      return write(() => cancel(command), "fact", command.outboxFilled);
    },
  };
}

function endColumns(outcome: TaskOutcome) {
  return outcome.status === "completed"
    ? { status: outcome.status, result: JSON.stringify(outcome.result), error: null }
    : { status: outcome.status, result: null, error: outcome.error };
}

/** The statements that change the row itself, each only from the states it may come from. */
function prepareEnds(db: SqliteConnection["db"]) {
  const end = {
    status: sql`${bound("status")}`,
    result: sql`${bound("result")}`,
    error: sql`${bound("error")}`,
    finishedAt: sql`${bound("now")}`,
    eventCount: sql`${tasks.eventCount} + 1`,
  };
  const { id, principal, taskId, clientId, eventCount } = tasks;
  const ended = { id, principal, taskId, clientId, eventCount };
  const rightHolds = sql`(${bound("leaseDigest")} is null
    or (${tasks.leaseDigest} = +${bound("leaseDigest")} and ${tasks.leaseUntil} > ${bound("now")}))
    and (${bound("lapsedAt")} is null or ${tasks.leaseUntil} = +${bound("lapsedAt")})`;
  return {
    finish: db
      .update(tasks)
      .set(end)
      .where(and(isGiven(tasks.id, "id"), eq(tasks.status, sql.raw("'running'")), rightHolds))
      .returning(ended)
      .prepare(),
    cancel: db
      .update(tasks)
      .set(end)
      .where(and(isGiven(tasks.id, "id"), taskIsOpen))
      .returning(ended)
      .prepare(),
  };
}

/** The event, and which callbacks stop waiting for it. */
function prepareNews(db: SqliteConnection["db"]) {
  // One that is disabled for failing may come back, and is then owed what happened meanwhile.
  const isOwedTheEnd = sql`${callbacks.awaitsTask} = 1
    and (${callbacks.status} = 'active' or (${callbacks.status} = 'disabled' and ${callbacks.disabledReason} = 'failing'))`;
  return {
    insertEvent: prepareEventInsert(db),
    awaitEnd: db
      .update(callbacks)
      .set({ awaitsTask: false })
      .where(
        and(
          isGiven(callbacks.principal, "principal"),
          isGiven(callbacks.taskId, "taskId"),
          callbackIsRegistered,
          isOwedTheEnd,
        ),
      )
      .returning({ ...owedColumns, events: callbacks.events })
      .prepare(),
    countCompleted: db
      .insert(counters)
      .values({ name: "completed_tasks", value: 1 })
      .onConflictDoUpdate({ target: counters.name, set: { value: sql`${counters.value} + 1` } })
      .prepare(),
  };
}
