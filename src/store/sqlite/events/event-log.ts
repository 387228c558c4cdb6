import { and, asc, desc, gt, gte, inArray, lt, sql } from "../engine/drizzle.ts";
import { eventPage, eventPageStart } from "../../../domain/event-page.ts";
import type { EventsPage, EventsQuery, EventStore } from "../../../service/ports/event-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { toEndEvent } from "../schema/rows.ts";
import { eventIsEnd } from "../schema/conditions.ts";
import { counters, events, tasks } from "../schema/tables.ts";

type Db = SqliteConnection["db"];

const bound = sql.placeholder;

/** So many that no two databases have the same name by chance, and few enough for an exact number. */
const LOG_NAMES = 2 ** 48;

/** The log of events for readers and new subscriptions: the ends of tasks, without their progress. */
export function eventLogVerbs({ db }: SqliteConnection): Pick<EventStore, "eventsAfter" | "lastEventSeq" | "eventLog"> {
  const read = prepareEventReading(db);
  const lastSeq = prepareLastSeq(db);
  return {
    async eventsAfter(query) {
      return db.transaction(() => read(query));
    },
    async lastEventSeq() {
      return lastSeq();
    },
    async eventLog() {
      return nameOfLog(db);
    },
  };
}

/** The number of the last event. Retention does not lower it, so a cursor never points at an event that comes later. */
export function prepareLastSeq(db: Db): () => number {
  const last = db.$client.prepare<[], { seq: number }>(`select "seq" from "sqlite_sequence" where "name" = 'events'`);
  return () => last.get()?.seq ?? 0;
}

/** Names the log once, when the database is first opened. */
export function nameLog(db: Db): void {
  db.$client.exec(
    `insert or ignore into "counters" ("name", "value") values ('event_log', abs(random() % ${LOG_NAMES}))`,
  );
}

export function nameOfLog(db: Db): string {
  const named = db.$client.prepare<[], { value: number }>(`select "value" from "counters" where "name" = 'event_log'`);
  return (named.get()?.value ?? 0).toString(36);
}

/** Within the caller's transaction; returns the event's place in the log. */
export function prepareEventInsert(db: Db) {
  return db
    .insert(events)
    .values({
      id: bound("id"),
      principal: bound("principal"),
      task: bound("task"),
      type: bound("type"),
      occurredAt: bound("occurredAt"),
      data: bound("data"),
    })
    .returning({ seq: events.seq })
    .prepare();
}

/** Within the caller's transaction. */
export function prepareEventReading(db: Db): (query: EventsQuery) => EventsPage {
  const statements = prepare(db);
  const readLastSeq = prepareLastSeq(db);

  return ({ principal, afterSeq, types, taskId, notBefore, limit, newest }) => {
    const of = { principal, types: JSON.stringify(types), taskId };
    const lastSeq = readLastSeq();
    const leftOut = newest === null ? undefined : statements.newestLeftOut.get({ ...of, afterSeq, newest });
    const startedAfter = eventPageStart(afterSeq, lastSeq, leftOut?.seq ?? null);
    const found = statements.after.all({ ...of, afterSeq: startedAfter, notBefore, limit: limit + 1 });
    const lostSeq = statements.lost.get({ name: lostEventsOf(principal) })?.value ?? 0;
    const hasOlder = notBefore > 0 && statements.older.get({ ...of, afterSeq, notBefore }) !== undefined;
    const page = eventPage({ afterSeq, startedAfter, limit, found, lastSeq, lostSeq, hasOlder });
    return { ...page, events: page.events.map((row) => ({ seq: row.seq, event: toEndEvent(row) })) };
  };
}

/** The counter that holds the highest `seq` that retention has removed of a principal's events. */
export function lostEventsOf(principal: string): `lost_events:${string}` {
  return `lost_events:${principal}`;
}

function prepare(db: Db) {
  const matches = matching(db);
  return {
    after: db
      .select({
        seq: events.seq,
        id: events.id,
        type: events.type,
        occurredAt: events.occurredAt,
        data: events.data,
      })
      .from(events)
      .where(and(matches, gte(events.occurredAt, bound("notBefore"))))
      .orderBy(asc(events.seq))
      .limit(limitTo("limit"))
      .prepare(),
    /** The newest event that is left out. */
    newestLeftOut: db
      .select({ seq: events.seq })
      .from(events)
      .where(matches)
      .orderBy(desc(events.seq))
      .limit(limitTo(1))
      .offset(bound("newest"))
      .prepare(),
    older: db
      .select({ seq: events.seq })
      .from(events)
      .where(and(matches, lt(events.occurredAt, bound("notBefore"))))
      .orderBy(asc(events.seq))
      .limit(limitTo(1))
      .prepare(),
    lost: db.select({ value: counters.value }).from(counters).where(equals(counters.name, "name")).prepare(),
  };
}

/** The events of the reader's selection. */
function matching(db: Db) {
  const ofTask = db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(equals(tasks.principal, "principal"), equals(tasks.taskId, "taskId")));
  return and(
    eventIsEnd,
    equals(events.principal, "principal"),
    gt(events.seq, bound("afterSeq")),
    sql`${events.type} in (select value from json_each(${bound("types")}))`,
    sql`(${bound("taskId")} is null or ${inArray(events.task, ofTask)})`,
  );
}
