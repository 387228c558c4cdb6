import type { SQL } from "drizzle-orm";
import { and, asc, count, eq, exists, notExists, or, sql } from "../engine/drizzle.ts";
import { ATTEMPTS_LISTED_MAX } from "../../../domain/attempt.ts";
import { CALLBACKS_PER_TASK_MAX } from "../../../domain/callback.ts";
import type {
  CallbackHistory,
  DeliveryFilter,
  DeliveryStore,
  HistoryPage,
} from "../../../service/ports/delivery-store.ts";
import type { Counts, MaintenanceStore } from "../../../service/ports/maintenance-store.ts";
import { callbackIsOfTask } from "../callbacks/rows.ts";
import { healthColumns } from "../callbacks/state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { limitTo } from "../engine/parameters.ts";
import { deliveryMatches, filterParameters } from "../deliveries/outbox.ts";
import { callbackIsAwaiting, callbackIsDisabled, deliveryIsOpen, taskIsOpen } from "../schema/conditions.ts";
import { attempts, callbacks, counters, deliveries, events, tasks } from "../schema/tables.ts";
import { attemptColumns, selectDeliveries, toDelivery } from "./listed-deliveries.ts";

const bound = sql.placeholder;

const FIRST_PAGE: HistoryPage = { after: null, limit: CALLBACKS_PER_TASK_MAX, statuses: null, since: null };

export function historyVerbs({
  db,
}: SqliteConnection): Pick<DeliveryStore, "deliveryHistory" | "callbackCount"> & Pick<MaintenanceStore, "counts"> {
  const prepared = {
    history: prepareHistory(db),
    number: prepareNumber(db),
    totals: prepareTotals(db),
  };

  function historyOf(principal: string, taskId: string, page: HistoryPage): CallbackHistory[] {
    const { history } = prepared;
    const filter = callbackFilter(page);
    const after = { afterTime: page.after?.registeredAt ?? -1, afterId: page.after?.id ?? "" };
    const listed = history.callbacks.all({ principal, taskId, limit: page.limit, ...after, ...filter });
    const key = { ...filter, ids: JSON.stringify(listed.map(({ id }) => id)) };
    const attemptsOf = Map.groupBy(history.attempts.all(key), ({ deliveryId }) => deliveryId);
    const deliveriesOf = Map.groupBy(history.deliveries.all(key), ({ callbackId }) => callbackId);
    return listed.map((callback) => ({
      callback,
      deliveries: (deliveriesOf.get(callback.id) ?? []).map((row) => toDelivery(row, attemptsOf.get(row.id) ?? [])),
    }));
  }

  return {
    async deliveryHistory(principal, taskId, page = FIRST_PAGE) {
      // One transaction, so that the three reads are of the same state.
      return db.transaction(() => historyOf(principal, taskId, page));
    },
    async callbackCount(principal, taskId, filter) {
      return prepared.number.get({ principal, taskId, ...callbackFilter(filter) })?.count ?? 0;
    },
    async counts(): Promise<Counts> {
      const { totals } = prepared;
      return db.transaction(() => ({
        completedTasks: totals.completed.get()?.value ?? 0,
        activeTasks: totals.active.get()?.count ?? 0,
        pendingCallbacks: (totals.awaiting.get()?.count ?? 0) + (totals.undelivered.get()?.count ?? 0),
        disabledCallbacks: totals.disabled.get()?.count ?? 0,
      }));
    },
  };
}

function callbackFilter(filter: DeliveryFilter) {
  return { ...filterParameters(filter), isFiltered: filter.statuses === null && filter.since === null ? 0 : 1 };
}

/** With a filter: whether the callback has a delivery that matches. */
function callbackMatches(db: SqliteConnection["db"]) {
  const matching = db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(eq(deliveries.callbackId, callbacks.id), deliveryMatches));
  return or(sql`${bound("isFiltered")} = 0`, exists(matching));
}

function prepareNumber(db: SqliteConnection["db"]) {
  return db
    .select({ count: count() })
    .from(callbacks)
    .where(and(callbackIsOfTask, callbackMatches(db)))
    .prepare();
}

function prepareHistory(db: SqliteConnection["db"]) {
  const isAfter = sql`(${callbacks.registeredAt}, ${callbacks.id}) > (${bound("afterTime")}, ${bound("afterId")})`;
  // Read from the attempts, which are few: a column would be one more write for each delivery.
  // Raw, since Drizzle leaves out the names of tables here.
  const lastDeliveryAt = sql.raw(`(
    select max("attempts"."started_at" + "attempts"."duration_ms")
    from "deliveries" inner join "attempts" on "attempts"."delivery_id" = "deliveries"."id"
    where "deliveries"."callback_id" = "callbacks"."id" and "attempts"."error" is null)`) as SQL<number | null>;
  return {
    callbacks: db
      .select({
        id: callbacks.id,
        clientId: callbacks.clientId,
        url: callbacks.url,
        status: callbacks.status,
        registeredAt: callbacks.registeredAt,
        notAfter: callbacks.notAfter,
        health: { ...healthColumns, lastDeliveryAt },
      })
      .from(callbacks)
      .where(and(callbackIsOfTask, isAfter, callbackMatches(db)))
      .orderBy(asc(callbacks.registeredAt), asc(callbacks.id))
      .limit(limitTo("limit"))
      .prepare(),
    ...prepareListed(db),
  };
}

/** The deliveries of listed callbacks, and their newest attempts. */
function prepareListed(db: SqliteConnection["db"]) {
  const isListed = and(
    sql`${deliveries.callbackId} in (select value from json_each(${bound("ids")}))`,
    deliveryMatches,
  );
  const isAmongNewest = sql`${attempts.number} > ${deliveries.attemptCount} - ${sql.raw(String(ATTEMPTS_LISTED_MAX))}`;
  return {
    deliveries: selectDeliveries(db).where(isListed).orderBy(asc(events.seq)).prepare(),
    attempts: db
      .select(attemptColumns)
      .from(deliveries)
      .innerJoin(attempts, eq(attempts.deliveryId, deliveries.id))
      .where(and(isListed, isAmongNewest))
      .orderBy(asc(attempts.number))
      .prepare(),
  };
}

function prepareTotals(db: SqliteConnection["db"]) {
  const disabled = db.select({ id: callbacks.id }).from(callbacks).where(callbackIsDisabled);
  // The plus keeps SQLite from the index on callback_id, where it would read the whole history to find the open ones in order.
  const undelivered = db
    .selectDistinct({ id: sql<string>`+${deliveries.callbackId}`.as("id") })
    .from(deliveries)
    .where(and(deliveryIsOpen, sql`+${deliveries.callbackId} not in ${disabled}`))
    .as("pending_callbacks");
  const awaiting = db
    .select({ id: callbacks.id })
    .from(callbacks)
    .where(and(callbackIsAwaiting, sql`${callbacks.id} = "pending_callbacks"."id"`));
  return {
    completed: db
      .select({ value: counters.value })
      .from(counters)
      .where(eq(counters.name, sql.raw("'completed_tasks'")))
      .prepare(),
    active: db.select({ count: count() }).from(tasks).where(taskIsOpen).prepare(),
    // Only active and disabled callbacks have open deliveries; those of a disabled one are held and do not count.
    undelivered: db.select({ count: count() }).from(undelivered).where(notExists(awaiting)).prepare(),
    awaiting: db.select({ count: count() }).from(callbacks).where(callbackIsAwaiting).prepare(),
    disabled: db.select({ count: count() }).from(callbacks).where(callbackIsDisabled).prepare(),
  };
}
