import { and, asc, eq, gt, lte, min, sql } from "../engine/drizzle.ts";
import { expired } from "../../../domain/delivery-state.ts";
import type { DeliveryStore, ExpiredDelivery } from "../../../service/ports/delivery-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareIsSettled } from "./outbox.ts";
import { prepareDeliveryStates, stateColumns } from "./state.ts";
import { deliveryIsPending, deliveryMayExpire } from "../schema/conditions.ts";
import { callbacks, deliveries, events, tasks } from "../schema/tables.ts";

const bound = sql.placeholder;

/** When the next delivery is due or expires, and the end of deliveries that have expired. */
export function expiryVerbs({
  db,
  write,
}: SqliteConnection): Pick<DeliveryStore, "expireDeliveries" | "nextDeliveryTimes"> {
  const next = prepareNext(db);
  const expiring = prepareExpiring(db);
  const states = prepareDeliveryStates(db);
  const isSettled = prepareIsSettled(db);

  function expire(id: string, now: number): ExpiredDelivery {
    const row = expiring.load.get({ id });
    if (row === undefined) throw new Error(`Delivery ${id} lost its event or callback.`);
    const { delivery, state, isToSubscription } = row;
    const ended = expired(state, isToSubscription === 1, now);
    states.write(id, state, ended);
    return { ...delivery, reason: ended.reason, eventSettled: isSettled(delivery.eventId) };
  }

  return {
    async expireDeliveries({ now, limit }) {
      // Most calls find nothing expired. Those read one small index and open no transaction.
      const find = () => expiring.find.all({ now, limit });
      if (find().length === 0) return [];
      // Read again in the transaction: an earlier one of the same commit may have ended some of them.
      return write(() => find().map(({ id }) => expire(id, now)));
    },
    async nextDeliveryTimes(now) {
      const first = next.due.get({ after: 0 })?.at ?? null;
      const anyDue = first !== null && first <= now;
      const due = anyDue ? next.due.get({ after: now })?.at : first;
      const times = [due, next.expiry.get({ now })?.at].filter((at) => typeof at === "number");
      return { anyDue, nextAt: times.length === 0 ? null : Math.min(...times) };
    },
  };
}

function prepareNext(db: SqliteConnection["db"]) {
  return {
    due: db
      .select({ at: min(deliveries.nextAttemptAt) })
      .from(deliveries)
      .where(and(deliveryIsPending, gt(deliveries.nextAttemptAt, bound("after"))))
      .prepare(),
    expiry: db
      .select({ at: min(deliveries.notAfter) })
      .from(deliveries)
      .where(and(deliveryMayExpire, gt(deliveries.notAfter, bound("now"))))
      .prepare(),
  };
}

function prepareExpiring(db: SqliteConnection["db"]) {
  return {
    find: db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(and(deliveryMayExpire, lte(deliveries.notAfter, bound("now"))))
      .orderBy(asc(deliveries.notAfter))
      .limit(limitTo("limit"))
      .prepare(),
    load: db
      .select({
        delivery: {
          principal: deliveries.principal,
          deliveryId: deliveries.id,
          callbackId: deliveries.callbackId,
          eventId: deliveries.eventId,
          event: events.type,
          taskId: tasks.taskId,
          clientId: callbacks.clientId,
          url: callbacks.url,
          attemptCount: deliveries.attemptCount,
        },
        state: stateColumns,
        isToSubscription: sql<number>`${callbacks.subscriptionId} is not null`,
      })
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .innerJoin(tasks, eq(tasks.id, events.task))
      .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
      .where(equals(deliveries.id, "id"))
      .prepare(),
  };
}
