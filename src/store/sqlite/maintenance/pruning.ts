import { and, asc, inArray, lt, or, sql } from "../engine/drizzle.ts";
import { isOutdated } from "../../../domain/retention.ts";
import type {
  MaintenanceStore,
  PruneCursor,
  PrunedStep,
  PruneHistory,
  RemovedRows,
} from "../../../service/ports/maintenance-store.ts";
import { callbackIsOfTask } from "../callbacks/rows.ts";
import { completionTokens } from "../schema/completions.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { lostEventsOf } from "../events/event-log.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deliveryIsOpen, taskHasEnded } from "../schema/conditions.ts";
import { attempts, callbacks, deliveries, events, tasks } from "../schema/tables.ts";

/** A step ends with the task that takes it over this, so that a few tasks with very many callbacks do not make it long. */
const REMOVED_ROWS_MAX = 2000;

const OLDEST: PruneCursor = { finishedAt: 0, id: "" };
const NOTHING: RemovedRows = { tasks: 0, callbacks: 0, events: 0, deliveries: 0, attempts: 0 };

const bound = sql.placeholder;

interface PrunableTask {
  readonly id: string;
  readonly principal: string;
  readonly taskId: string;
}

export function pruningVerbs({ db, write }: SqliteConnection): Pick<MaintenanceStore, "pruneHistory"> {
  const looking = prepareLooking(db);
  const removing = prepareRemoving(db);

  function step({ before, limit, after }: PruneHistory): PrunedStep {
    const ended = looking.ended.all({ before, limit, ...(after ?? OLDEST) });
    let removed = NOTHING;
    let looked = 0;
    for (const task of ended) {
      if (rowsOf(removed) >= REMOVED_ROWS_MAX) break;
      looked++;
      if (isRemovable(task, before)) removed = sumOf(removed, remove(task));
    }
    const isThrough = looked === ended.length && ended.length < limit;
    const last = isThrough ? undefined : ended[looked - 1];
    return { removed, next: last === undefined ? null : { finishedAt: last.finishedAt, id: last.id } };
  }

  function isRemovable(task: PrunableTask, before: number): boolean {
    const newestRegistration = looking.newestRegistration.get({ ...task })?.at ?? null;
    const { newestSettlement = null, open = 0 } = looking.deliveries.get({ ...task }) ?? {};
    return isOutdated({ newestRegistration, newestSettlement, hasOpenDelivery: open > 0 }, before);
  }

  /** In the order of the foreign keys: a row goes after those that refer to it. */
  function remove(task: PrunableTask): RemovedRows {
    const key = { ...task };
    removing.markLost.run({ ...key, name: lostEventsOf(task.principal) });
    removing.completionTokens.run(key);
    return {
      attempts: removing.attempts.run(key).changes,
      deliveries: removing.deliveries.run(key).changes,
      events: removing.events.run(key).changes,
      callbacks: removing.callbacks.run(key).changes,
      tasks: removing.task.run(key).changes,
    };
  }

  return {
    async pruneHistory(command) {
      return write(() => step(command));
    },
  };
}

function sumOf(left: RemovedRows, right: RemovedRows): RemovedRows {
  return {
    tasks: left.tasks + right.tasks,
    callbacks: left.callbacks + right.callbacks,
    events: left.events + right.events,
    deliveries: left.deliveries + right.deliveries,
    attempts: left.attempts + right.attempts,
  };
}

function rowsOf(rows: RemovedRows): number {
  return rows.tasks + rows.callbacks + rows.events + rows.deliveries + rows.attempts;
}

type Db = SqliteConnection["db"];

/** Deliveries of the task's events, which subscriptions have too, and deliveries to the task's callbacks. */
function deliveryOfTask(db: Db) {
  const eventsOfTask = db.select({ id: events.id }).from(events).where(equals(events.task, "id"));
  const callbacksOfTask = db.select({ id: callbacks.id }).from(callbacks).where(callbackIsOfTask);
  return or(inArray(deliveries.eventId, eventsOfTask), inArray(deliveries.callbackId, callbacksOfTask));
}

function prepareLooking(db: Db) {
  return {
    ended: db
      .select({
        id: tasks.id,
        principal: tasks.principal,
        taskId: tasks.taskId,
        finishedAt: sql<number>`${tasks.finishedAt}`,
      })
      .from(tasks)
      .where(
        and(
          taskHasEnded,
          lt(tasks.finishedAt, bound("before")),
          sql`(${tasks.finishedAt}, ${tasks.id}) > (${bound("finishedAt")}, ${bound("id")})`,
        ),
      )
      .orderBy(asc(tasks.finishedAt), asc(tasks.id))
      .limit(limitTo("limit"))
      .prepare(),
    newestRegistration: db
      .select({ at: sql<number | null>`max(${callbacks.registeredAt})` })
      .from(callbacks)
      .where(callbackIsOfTask)
      .prepare(),
    deliveries: db
      .select({
        newestSettlement: sql<number | null>`max(${deliveries.settledAt})`,
        open: sql<number>`count(case when ${deliveryIsOpen} then 1 end)`,
      })
      .from(deliveries)
      .where(deliveryOfTask(db))
      .prepare(),
  };
}

function prepareRemoving(db: Db) {
  const deliveriesOfTask = db.select({ id: deliveries.id }).from(deliveries).where(deliveryOfTask(db));
  return {
    attempts: db.delete(attempts).where(inArray(attempts.deliveryId, deliveriesOfTask)).prepare(),
    deliveries: db.delete(deliveries).where(deliveryOfTask(db)).prepare(),
    events: db.delete(events).where(equals(events.task, "id")).prepare(),
    /** Readers of the log whose place is before this number learn that events were removed. */
    markLost: db.$client.prepare<{ id: string; name: string }>(`
      insert into "counters" ("name", "value")
        select :name, max("seq") from "events" where "task" = +:id having max("seq") is not null
        on conflict ("name") do update set "value" = max("value", excluded."value")`),
    callbacks: db.delete(callbacks).where(callbackIsOfTask).prepare(),
    completionTokens: db.delete(completionTokens).where(equals(completionTokens.task, "id")).prepare(),
    task: db.delete(tasks).where(equals(tasks.id, "id")).prepare(),
  };
}
