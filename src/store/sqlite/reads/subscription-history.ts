import { and, asc, desc, eq, sql } from "../engine/drizzle.ts";
import type { InferSelectModel } from "drizzle-orm";
import { ATTEMPTS_LISTED_MAX } from "../../../domain/attempt.ts";
import type { Delivery } from "../../../domain/delivery.ts";
import type { Store } from "../../../service/ports/store.ts";
import type { ListedSubscription, SubscriptionPage } from "../../../service/ports/subscription-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { toDelivery } from "./history.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { callbackIsSubscription } from "../schema/conditions.ts";
import { attempts, callbacks, deliveries, events } from "../schema/tables.ts";
import { isLive } from "../subscriptions/statements.ts";
import { healthOf } from "../subscriptions/subscriptions.ts";

type Row = InferSelectModel<typeof callbacks>;

const bound = sql.placeholder;

export function subscriptionHistoryVerbs({ db }: SqliteConnection): Pick<Store, "listSubscriptions"> {
  const statements = prepare(db);

  function deliveriesOf(callbackId: string, limit: number): Delivery[] {
    return statements.deliveries
      .all({ callbackId, limit })
      .map((row) =>
        toDelivery(
          row,
          statements.attempts.all({ deliveryId: row.id, before: row.attemptCount - ATTEMPTS_LISTED_MAX }),
        ),
      );
  }

  function list(principal: string, { after, limit, now, deliveries: newest }: SubscriptionPage): ListedSubscription[] {
    const from = { afterTime: after?.registeredAt ?? -1, afterId: after?.id ?? "" };
    return statements.list.all({ principal, limit, ...from }).flatMap((row) => {
      if (row.subscriptionId === null || row.eventName === null) return [];
      const what = { id: row.subscriptionId, name: row.eventName, taskId: row.taskId, url: row.url };
      const times = { createdAt: row.registeredAt, expiresAt: row.notAfter };
      const found = { callbackId: row.id, status: statusOf(row, now), health: healthOf(row) };
      return [{ ...what, ...times, ...found, deliveries: deliveriesOf(row.id, newest) }];
    });
  }

  return {
    async listSubscriptions(principal, page) {
      return db.transaction(() => list(principal, page));
    },
  };
}

function statusOf(row: Row, now: number): ListedSubscription["status"] {
  if (row.status === "removed") return "ended";
  if (!isLive(row, now)) return "expired";
  return row.status === "active" ? "active" : "suspended";
}

function prepare(db: SqliteConnection["db"]) {
  const isAfter = sql`(${callbacks.registeredAt}, ${callbacks.id}) > (${bound("afterTime")}, ${bound("afterId")})`;
  return {
    list: db
      .select()
      .from(callbacks)
      .where(and(callbackIsSubscription, equals(callbacks.principal, "principal"), isAfter))
      .orderBy(asc(callbacks.registeredAt), asc(callbacks.id))
      .limit(limitTo("limit"))
      .prepare(),
    ...prepareDeliveries(db),
  };
}

/** Of one subscription. */
function prepareDeliveries(db: SqliteConnection["db"]) {
  return {
    // Ids of events sort by time, so the index that names a delivery also finds the newest.
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
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .where(equals(deliveries.callbackId, "callbackId"))
      .orderBy(desc(deliveries.eventId))
      .limit(limitTo("limit"))
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
      .from(attempts)
      .where(and(equals(attempts.deliveryId, "deliveryId"), sql`${attempts.number} > +${bound("before")}`))
      .orderBy(asc(attempts.number))
      .prepare(),
  };
}
