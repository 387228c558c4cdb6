import { and, asc, eq, inArray, sql } from "drizzle-orm";
import { eventDataOf, eventTypeOf } from "../../domain/event.ts";
import type { Event } from "../../domain/event.ts";
import type { NewId } from "../../domain/ids.ts";
import type { Task, TaskOutcome } from "../../domain/task.ts";
import type { FinishTask, FinishTaskResult, StartTask, StartTaskResult, Store } from "../../service/ports.ts";
import { prepareCallbackCount, prepareDeliveryInsert } from "./callbacks.ts";
import type { SqliteConnection } from "./connection.ts";
import { toEventTypes, toTask } from "./rows.ts";
import { callbacks, counters, events, taskIsOpen, tasks } from "./schema.ts";

type TaskVerbs = Pick<Store, "startTask" | "findTask" | "claimRunnableTasks" | "finishTask">;

const bound = sql.placeholder;

export function taskVerbs({ db, write }: SqliteConnection, newId: NewId): TaskVerbs {
  const statements = { ...prepareTasks(db), ...prepareEnd(db) };
  const countOf = prepareCallbackCount(db);
  const insertDelivery = prepareDeliveryInsert(db, newId);

  function start({ principal, taskId, request, now }: StartTask): StartTaskResult {
    const existing = statements.find.get({ principal, taskId });
    const kind = existing === undefined ? "started" : "existing";
    const row = existing ?? statements.insert.get({ id: newId("tsk"), principal, taskId, ...request, now });
    return { kind, task: toTask(row), callbackCount: countOf(principal, taskId) };
  }

  function finish({ id, outcome, now }: FinishTask): FinishTaskResult | null {
    const task = statements.finish.get({ id, now, ...endColumns(outcome) });
    if (task === undefined) return null;
    const event: Event = {
      id: newId("evt"),
      type: eventTypeOf(outcome.status),
      occurredAt: now,
      data: eventDataOf(task, outcome, task.eventCount),
    };
    statements.insertEvent.run({ ...event, principal: task.principal, task: id, data: JSON.stringify(event.data) });
    if (outcome.status === "completed") statements.countCompleted.run();
    return { event, deliveryCount: fillOutbox(task, event, now) };
  }

  function fillOutbox({ principal, taskId }: Pick<Task, "principal" | "taskId">, event: Event, now: number): number {
    const waiting = statements.awaitEnd.all({ principal, taskId });
    const selected = waiting
      .filter((callback) => toEventTypes(callback.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1));
    for (const callback of selected) insertDelivery(event.id, callback, now);
    return selected.length;
  }

  return {
    async startTask(command) {
      return write(() => start(command));
    },
    async findTask(principal, taskId) {
      const row = statements.find.get({ principal, taskId });
      return row === undefined ? null : toTask(row);
    },
    async claimRunnableTasks(command) {
      const rows = await write(() => statements.claim.all({ ...command }));
      return rows
        .map(toTask)
        .toSorted((left, right) => left.createdAt - right.createdAt || (left.id < right.id ? -1 : 1));
    },
    async finishTask(command) {
      return write(() => finish(command));
    },
  };
}

function endColumns(outcome: TaskOutcome) {
  return outcome.status === "completed"
    ? { status: outcome.status, result: JSON.stringify(outcome.result), error: null }
    : { status: outcome.status, result: null, error: outcome.error };
}

function prepareTasks(db: SqliteConnection["db"]) {
  const oldestPending = db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(taskIsOpen, eq(tasks.status, sql.raw("'pending'"))))
    .orderBy(asc(tasks.createdAt))
    .limit(bound("limit"));
  return {
    find: db
      .select()
      .from(tasks)
      .where(and(eq(tasks.principal, bound("principal")), eq(tasks.taskId, bound("taskId"))))
      .prepare(),
    insert: db
      .insert(tasks)
      .values({
        id: bound("id"),
        principal: bound("principal"),
        taskId: bound("taskId"),
        clientId: bound("clientId"),
        taskType: bound("taskType"),
        input: bound("input"),
        status: "pending",
        runCount: 0,
        createdAt: bound("now"),
      })
      .returning()
      .prepare(),
    claim: db
      .update(tasks)
      .set({ status: "running", runCount: sql`${tasks.runCount} + 1`, startedAt: sql`${bound("now")}` })
      .where(inArray(tasks.id, oldestPending))
      .returning()
      .prepare(),
  };
}

/** The statements that end a task: its row, its event, and which callbacks stop waiting for it. */
function prepareEnd(db: SqliteConnection["db"]) {
  // One that is disabled for failing may come back, and is then owed what happened meanwhile.
  const isOwedTheEnd = sql`${callbacks.awaitsTask} = 1
    and (${callbacks.status} = 'active' or (${callbacks.status} = 'disabled' and ${callbacks.disabledReason} = 'failing'))`;
  return {
    finish: db
      .update(tasks)
      .set({
        status: sql`${bound("status")}`,
        result: sql`${bound("result")}`,
        error: sql`${bound("error")}`,
        finishedAt: sql`${bound("now")}`,
        eventCount: sql`${tasks.eventCount} + 1`,
      })
      .where(and(eq(tasks.id, bound("id")), eq(tasks.status, "running")))
      .returning({
        principal: tasks.principal,
        taskId: tasks.taskId,
        clientId: tasks.clientId,
        eventCount: tasks.eventCount,
      })
      .prepare(),
    insertEvent: db
      .insert(events)
      .values({
        id: bound("id"),
        principal: bound("principal"),
        task: bound("task"),
        type: bound("type"),
        occurredAt: bound("occurredAt"),
        data: bound("data"),
      })
      .prepare(),
    awaitEnd: db
      .update(callbacks)
      .set({ awaitsTask: false })
      .where(and(eq(callbacks.principal, bound("principal")), eq(callbacks.taskId, bound("taskId")), isOwedTheEnd))
      .returning({
        id: callbacks.id,
        principal: callbacks.principal,
        url: callbacks.url,
        status: callbacks.status,
        events: callbacks.events,
        notAfter: callbacks.notAfter,
      })
      .prepare(),
    countCompleted: db
      .insert(counters)
      .values({ name: "completed_tasks", value: 1 })
      .onConflictDoUpdate({ target: counters.name, set: { value: sql`${counters.value} + 1` } })
      .prepare(),
  };
}
