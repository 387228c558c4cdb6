/** Progress of tasks: stored on their rows, and as events for the callbacks that select them. */
import { and, desc, eq, inArray, sql } from "../engine/drizzle.ts";
import { progressDataOf } from "../../../domain/event.ts";
import type { ProgressEvent } from "../../../domain/event.ts";
import { progressEventStep } from "../../../domain/progress-event.ts";
import type { LastProgressEvent } from "../../../domain/progress-event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { isExpired } from "../../../domain/not-after.ts";
import type { Progress, Task } from "../../../domain/task.ts";
import type { EmitProgressEvent, ProgressEventResult, TaskStore } from "../../../service/ports/task-store.ts";
import { fanOutColumns, prepareDeliveryInsert } from "../deliveries/insert.ts";
import type { FanOutCallback } from "../deliveries/insert.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareEventInsert } from "../events/event-log.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareSupersede } from "../deliveries/state.ts";
import { callbackSelectsProgress, deliveryIsOpen } from "../schema/conditions.ts";
import { attempts, callbacks, deliveries, events, tasks } from "../schema/tables.ts";
import { progressOf, readEvent } from "../schema/rows.ts";
import { runIsUnderWay } from "./runs.ts";

type Db = SqliteConnection["db"];
type RunningTask = Pick<Task, "id" | "principal" | "taskId" | "clientId">;

/** The events of progress that are kept of each task: a long task makes thousands, and only the last is of use. */
const EVENTS_KEPT_MAX = 10;

const NO_EVENT: ProgressEventResult = { deliveryCount: 0, dueAt: null };

const bound = sql.placeholder;

export function progressVerbs(
  { db, write, reportUnreadable }: SqliteConnection,
  newId: NewId,
): Pick<TaskStore, "recordProgress" | "emitProgressEvent"> {
  const runs = prepareRuns(db);
  const statements = prepareEvents(db);
  const removeOldest = prepareRemoveOldest(db);
  const supersede = prepareSupersede(db);
  const insertEvent = prepareEventInsert(db);
  const insertDelivery = prepareDeliveryInsert(db, newId);

  function emitEvent(task: RunningTask, progress: Progress, command: EmitProgressEvent): ProgressEventResult {
    const { now, intervalMs } = command;
    const selecting = statements.selecting
      .all({ principal: task.principal, taskId: task.taskId })
      .filter(({ notAfter }) => !isExpired(notAfter, now));
    if (selecting.length === 0) return NO_EVENT;
    const step = progressEventStep(progress, lastOf(task.id), now, intervalMs);
    if (step.kind === "none") return NO_EVENT;
    if (step.kind === "wait") return { deliveryCount: 0, dueAt: step.dueAt };
    supersede(task.id, now);
    removeOldest(task.id);
    return { deliveryCount: add(task, progress, selecting, now), dueAt: null };
  }

  function lastOf(task: string): LastProgressEvent | null {
    const last = statements.last.get({ task });
    const event = last === undefined ? null : readEvent({ ...last, type: "task_progress" });
    if (event?.type !== "task_progress") return null;
    return { progress: event.data.progress, occurredAt: event.occurredAt };
  }

  function add(task: RunningTask, progress: Progress, selecting: readonly FanOutCallback[], now: number): number {
    const { eventCount } = runs.count.get({ id: task.id });
    const data = progressDataOf(task, progress, eventCount);
    const event: ProgressEvent = { id: newId("evt"), type: "task_progress", occurredAt: now, data };
    insertEvent.run({ ...event, principal: task.principal, task: task.id, data: JSON.stringify(data) });
    for (const callback of selecting) insertDelivery(event.id, callback, now);
    return selecting.length;
  }

  return {
    recordProgress: ({ progress, ...command }) =>
      write(() => {
        const task = runs.keep.get({ ...command, progress: JSON.stringify(progress) });
        return task === undefined ? null : emitEvent(task, progress, command);
      }),
    emitProgressEvent: (command) =>
      write(() => {
        const task = runs.find.get({ ...command });
        if (task === undefined) return null;
        const progress = progressOf(task.progress, task.taskId, reportUnreadable);
        return progress === null ? NO_EVENT : emitEvent(task, progress, command);
      }),
  };
}

/** Removes the oldest events of a task's progress, so that one more can be kept. */
function prepareRemoveOldest(db: Db): (task: string) => void {
  const statements = {
    oldest: db
      .select({ eventId: events.id })
      .from(events)
      .where(and(equals(events.task, "task"), eq(events.type, sql.raw("'task_progress'"))))
      .orderBy(desc(events.seq))
      .limit(limitTo(EVENTS_KEPT_MAX))
      .offset(EVENTS_KEPT_MAX - 1)
      .prepare(),
    open: db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(and(deliveryIsOpen, equals(deliveries.eventId, "eventId")))
      .limit(limitTo(1))
      .prepare(),
    attempts: db
      .delete(attempts)
      .where(inArray(attempts.deliveryId, deliveriesOfEvent(db)))
      .prepare(),
    deliveries: db.delete(deliveries).where(equals(deliveries.eventId, "eventId")).prepare(),
    event: db.delete(events).where(equals(events.id, "eventId")).prepare(),
  };
  return (task) => {
    for (const { eventId } of statements.oldest.all({ task })) {
      // It is still being sent: the next event tries again.
      if (statements.open.get({ eventId }) !== undefined) continue;
      statements.attempts.run({ eventId });
      statements.deliveries.run({ eventId });
      statements.event.run({ eventId });
    }
  };
}

function deliveriesOfEvent(db: Db) {
  return db.select({ id: deliveries.id }).from(deliveries).where(equals(deliveries.eventId, "eventId"));
}

function prepareRuns(db: Db) {
  const { id, principal, taskId, clientId, progress } = tasks;
  return {
    keep: db
      .update(tasks)
      .set({ progress: sql`${bound("progress")}`, progressAt: sql`${bound("now")}` })
      .where(runIsUnderWay)
      .returning({ id, principal, taskId, clientId })
      .prepare(),
    find: db.select({ id, principal, taskId, clientId, progress }).from(tasks).where(runIsUnderWay).prepare(),
    count: db
      .update(tasks)
      .set({ eventCount: sql`${tasks.eventCount} + 1` })
      .where(equals(tasks.id, "id"))
      .returning({ eventCount: tasks.eventCount })
      .prepare(),
  };
}

function prepareEvents(db: Db) {
  return {
    selecting: db
      .select(fanOutColumns)
      .from(callbacks)
      .where(and(callbackSelectsProgress, equals(callbacks.principal, "principal"), equals(callbacks.taskId, "taskId")))
      .prepare(),
    /** The task is running, so its newest event is of progress. */
    last: db
      .select({ id: events.id, occurredAt: events.occurredAt, data: events.data })
      .from(events)
      .where(and(equals(events.task, "task"), eq(events.type, sql.raw("'task_progress'"))))
      .orderBy(desc(events.seq))
      .limit(limitTo(1))
      .prepare(),
  };
}
