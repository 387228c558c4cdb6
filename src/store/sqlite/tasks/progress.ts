/** How far tasks are: kept on their rows, and as events for the callbacks that chose to hear of it. */
import { and, desc, eq, inArray, sql } from "../engine/drizzle.ts";
import { progressDataOf } from "../../../domain/event.ts";
import type { ProgressData, ProgressEvent } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { isExpired } from "../../../domain/not-after.ts";
import type { Progress, Task } from "../../../domain/task.ts";
import type { Store, TellProgress, ToldProgress } from "../../../service/ports/store.ts";
import { fanOutColumns, prepareDeliveryInsert } from "../deliveries/insert.ts";
import type { FanOutCallback } from "../deliveries/insert.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareEventInsert } from "../events/event-log.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareSupersede } from "../deliveries/state.ts";
import { callbackHearsProgress, deliveryIsOpen } from "../schema/conditions.ts";
import { attempts, callbacks, deliveries, events, tasks } from "../schema/tables.ts";
import { runIsUnderWay } from "./runs.ts";

type Db = SqliteConnection["db"];
type RunningTask = Pick<Task, "id" | "principal" | "taskId" | "clientId">;

/** Of each task: a long one tells of itself thousands of times, and only the last is of any use. */
const EVENTS_KEPT_MAX = 10;

const NOTHING_TO_TELL: ToldProgress = { deliveryCount: 0, dueAt: null };

const bound = sql.placeholder;

export function progressVerbs(
  { db, write }: SqliteConnection,
  newId: NewId,
): Pick<Store, "recordProgress" | "tellProgress"> {
  const runs = prepareRuns(db);
  const told = prepareTold(db);
  const forgetOldest = prepareForgetting(db);
  const supersede = prepareSupersede(db);
  const insertEvent = prepareEventInsert(db);
  const insertDelivery = prepareDeliveryInsert(db, newId);

  function tell(task: RunningTask, progress: Progress, { now, intervalMs }: TellProgress): ToldProgress {
    const hearing = told.hearing
      .all({ principal: task.principal, taskId: task.taskId })
      .filter(({ notAfter }) => !isExpired(notAfter, now));
    if (hearing.length === 0) return NOTHING_TO_TELL;
    const last = told.last.get({ task: task.id });
    if (last !== undefined && isSame((JSON.parse(last.data) as ProgressData).progress, progress))
      return NOTHING_TO_TELL;
    // A clock that was set back makes nobody wait.
    const elapsedMs = last === undefined || last.occurredAt > now ? Infinity : now - last.occurredAt;
    if (elapsedMs < intervalMs) return { deliveryCount: 0, dueAt: now + intervalMs - elapsedMs };
    supersede(task.id, now);
    forgetOldest(task.id);
    return { deliveryCount: add(task, progress, hearing, now), dueAt: null };
  }

  function add(task: RunningTask, progress: Progress, hearing: readonly FanOutCallback[], now: number): number {
    const { eventCount } = runs.count.get({ id: task.id });
    const data = progressDataOf(task, progress, eventCount);
    const event: ProgressEvent = { id: newId("evt"), type: "task_progress", occurredAt: now, data };
    insertEvent.run({ ...event, principal: task.principal, task: task.id, data: JSON.stringify(data) });
    for (const callback of hearing) insertDelivery(event.id, callback, now);
    return hearing.length;
  }

  return {
    recordProgress: ({ progress, ...command }) =>
      write(() => {
        const task = runs.keep.get({ ...command, progress: JSON.stringify(progress) });
        return task === undefined ? null : tell(task, progress, command);
      }),
    tellProgress: (command) =>
      write(() => {
        const task = runs.find.get({ ...command });
        if (task === undefined) return null;
        return task.progress === null ? NOTHING_TO_TELL : tell(task, JSON.parse(task.progress) as Progress, command);
      }),
  };
}

/** Makes room for one more among those that are kept. */
function prepareForgetting(db: Db): (task: string) => void {
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
      // Still being sent: the next one looks again.
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

function prepareTold(db: Db) {
  return {
    hearing: db
      .select(fanOutColumns)
      .from(callbacks)
      .where(and(callbackHearsProgress, equals(callbacks.principal, "principal"), equals(callbacks.taskId, "taskId")))
      .prepare(),
    /** The task runs, so its newest event is one of these. */
    last: db
      .select({ occurredAt: events.occurredAt, data: events.data })
      .from(events)
      .where(and(equals(events.task, "task"), eq(events.type, sql.raw("'task_progress'"))))
      .orderBy(desc(events.seq))
      .limit(limitTo(1))
      .prepare(),
  };
}

function isSame(left: Progress, right: Progress): boolean {
  return left.done === right.done && left.total === right.total && left.message === right.message;
}
