import { and, asc, count, eq, sql } from "drizzle-orm";
import type { Attempt } from "../../domain/attempt.ts";
import type { Delivery, DeliveryStatus } from "../../domain/delivery.ts";
import type { CallbackHistory, Counts, Store } from "../../service/ports.ts";
import type { SqliteConnection } from "./connection.ts";
import {
  attempts,
  callbackIsAwaiting,
  callbacks,
  counters,
  deliveries,
  deliveryIsOpen,
  events,
  taskIsOpen,
  tasks,
} from "./schema.ts";

const bound = sql.placeholder;

export function historyVerbs({ db }: SqliteConnection): Pick<Store, "deliveryHistory" | "counts"> {
  const history = prepareHistory(db);
  const totals = prepareTotals(db);

  function historyOf(principal: string, taskId: string): CallbackHistory[] {
    const key = { principal, taskId };
    const attemptsOf = Map.groupBy(history.attempts.all(key), ({ deliveryId }) => deliveryId);
    const deliveriesOf = Map.groupBy(history.deliveries.all(key), ({ callbackId }) => callbackId);
    return history.callbacks.all(key).map((callback) => ({
      callback,
      deliveries: (deliveriesOf.get(callback.id) ?? []).map((row) => toDelivery(row, attemptsOf.get(row.id) ?? [])),
    }));
  }

  return {
    async deliveryHistory(principal, taskId) {
      // One transaction, so that the three reads tell of one moment.
      return db.transaction(() => historyOf(principal, taskId));
    },
    async counts(): Promise<Counts> {
      return db.transaction(() => ({
        completedTasks: totals.completed.get()?.value ?? 0,
        activeTasks: totals.active.get()?.count ?? 0,
        pendingCallbacks: totals.owed.get()?.count ?? 0,
      }));
    },
  };
}

type DeliveryRow = Omit<Delivery, "attempts"> & { readonly callbackId: string };

function toDelivery(row: DeliveryRow, made: readonly (Attempt & { readonly deliveryId: string })[]): Delivery {
  const { callbackId: _, ...delivery } = row;
  return {
    ...delivery,
    status: statusToShow(row.status, row.nextAttemptAt),
    attempts: made.map(({ deliveryId: __, ...attempt }) => attempt),
  };
}

/** A claim that is kept over a short wait is nothing a reader should know of: the delivery waits for its next attempt. */
function statusToShow(status: DeliveryStatus, nextAttemptAt: number | null): DeliveryStatus {
  return status === "sending" && nextAttemptAt !== null ? "pending" : status;
}

function prepareHistory(db: SqliteConnection["db"]) {
  const ofTask = and(eq(callbacks.principal, bound("principal")), eq(callbacks.taskId, bound("taskId")));
  return {
    callbacks: db
      .select({
        id: callbacks.id,
        clientId: callbacks.clientId,
        url: callbacks.url,
        status: callbacks.status,
        registeredAt: callbacks.registeredAt,
        notAfter: callbacks.notAfter,
      })
      .from(callbacks)
      .where(ofTask)
      .orderBy(asc(callbacks.registeredAt), asc(callbacks.id))
      .prepare(),
    deliveries: db
      .select({
        id: deliveries.id,
        callbackId: deliveries.callbackId,
        eventId: deliveries.eventId,
        event: events.type,
        status: deliveries.status,
        attemptCount: deliveries.attemptCount,
        nextAttemptAt: deliveries.nextAttemptAt,
        reason: deliveries.reason,
      })
      .from(callbacks)
      .innerJoin(deliveries, eq(deliveries.callbackId, callbacks.id))
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .where(ofTask)
      .orderBy(asc(events.seq))
      .prepare(),
    attempts: db
      .select({
        deliveryId: attempts.deliveryId,
        number: attempts.number,
        startedAt: attempts.startedAt,
        durationMs: attempts.durationMs,
        statusCode: attempts.statusCode,
        error: attempts.error,
      })
      .from(callbacks)
      .innerJoin(deliveries, eq(deliveries.callbackId, callbacks.id))
      .innerJoin(attempts, eq(attempts.deliveryId, deliveries.id))
      .where(ofTask)
      .orderBy(asc(attempts.number))
      .prepare(),
  };
}

function prepareTotals(db: SqliteConnection["db"]) {
  const awaiting = db.select({ id: callbacks.id }).from(callbacks).where(callbackIsAwaiting);
  // The plus keeps SQLite from walking the index on callback_id, which holds all of history, to find the open ones in order.
  const undelivered = db
    .select({ id: sql<string>`+${deliveries.callbackId}` })
    .from(deliveries)
    .where(deliveryIsOpen);
  return {
    completed: db
      .select({ value: counters.value })
      .from(counters)
      .where(eq(counters.name, "completed_tasks"))
      .prepare(),
    active: db.select({ count: count() }).from(tasks).where(taskIsOpen).prepare(),
    // A callback that is not active has no open delivery: what disables or removes it withdraws them.
    owed: db.select({ count: count() }).from(awaiting.union(undelivered).as("owed")).prepare(),
  };
}
