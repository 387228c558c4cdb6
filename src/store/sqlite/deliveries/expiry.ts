import { and, asc, eq, gt, lte, min, sql } from "../engine/drizzle.ts";
import type { DeliveryReason } from "../../../domain/delivery.ts";
import type { ExpiredDelivery, DeliveryStore } from "../../../service/ports/delivery-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareIsSettled } from "./outbox.ts";
import { deliveryIsPending, deliveryMayExpire } from "../schema/conditions.ts";
import { callbacks, deliveries, events, tasks } from "../schema/tables.ts";

const bound = sql.placeholder;

/** What time does to the outbox: when the next delivery is due or expires, and the end of those that have expired. */
export function expiryVerbs({
  db,
  write,
}: SqliteConnection): Pick<DeliveryStore, "expireDeliveries" | "nextDeliveryTimes"> {
  const next = prepareNext(db);
  const expiring = prepareExpiring(db);
  const isSettled = prepareIsSettled(db);

  function expire(id: string, now: number): ExpiredDelivery[] {
    if (expiring.end.run({ id, now }).changes === 0) return [];
    const row = expiring.load.get({ id });
    if (row === undefined) throw new Error(`Delivery ${id} lost its event or callback.`);
    return [{ ...row, eventSettled: isSettled(row.eventId) }];
  }

  return {
    async expireDeliveries({ now, limit }) {
      // Asked at every pass and nearly always in vain, so it costs one look at a small index and no transaction.
      const find = () => expiring.find.all({ now, limit });
      if (find().length === 0) return [];
      // Looked for again: others may be writing before us, and fewer than `limit` says that there are no more.
      return write(() => find().flatMap(({ id }) => expire(id, now)));
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

const isOfSubscription = sql`${deliveries.eventSeq} is not null`;

function prepareExpiring(db: SqliteConnection["db"]) {
  return {
    find: db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(and(deliveryMayExpire, lte(deliveries.notAfter, bound("now"))))
      .orderBy(asc(deliveries.notAfter))
      .limit(limitTo("limit"))
      .prepare(),
    end: db
      .update(deliveries)
      .set({
        // A subscription that was not refreshed has ended, and what it was owed with it; it is nobody's failure.
        status: sql`case when ${isOfSubscription} then 'cancelled' else 'exhausted' end`,
        reason: sql`case when ${isOfSubscription} then 'expired' else 'not_after' end`,
        nextAttemptAt: null,
        settledAt: sql`${bound("now")}`,
      })
      .where(and(equals(deliveries.id, "id"), eq(deliveries.status, sql.raw("'pending'"))))
      .prepare(),
    load: db
      .select({
        principal: deliveries.principal,
        deliveryId: deliveries.id,
        callbackId: deliveries.callbackId,
        eventId: deliveries.eventId,
        event: events.type,
        taskId: tasks.taskId,
        clientId: callbacks.clientId,
        url: callbacks.url,
        attemptCount: deliveries.attemptCount,
        reason: sql<DeliveryReason>`${deliveries.reason}`,
      })
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .innerJoin(tasks, eq(tasks.id, events.task))
      .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
      .where(equals(deliveries.id, "id"))
      .prepare(),
  };
}
