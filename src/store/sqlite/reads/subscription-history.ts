import { and, asc, desc, sql } from "../engine/drizzle.ts";
import { ATTEMPTS_LISTED_MAX } from "../../../domain/attempt.ts";
import type { Delivery } from "../../../domain/delivery.ts";
import { subscriptionStatus } from "../../../domain/subscription.ts";
import type {
  ListedSubscription,
  SubscriptionPage,
  SubscriptionStore,
} from "../../../service/ports/subscription-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { callbackIsSubscription } from "../schema/conditions.ts";
import { attempts, callbacks, deliveries } from "../schema/tables.ts";
import { healthOf, subscriptionColumns } from "../subscriptions/rows.ts";
import { attemptColumns, selectDeliveries, toDelivery } from "./listed-deliveries.ts";

const bound = sql.placeholder;

export function subscriptionHistoryVerbs({ db }: SqliteConnection): Pick<SubscriptionStore, "listSubscriptions"> {
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
      const { id, callbackId, eventName: name, taskId, url, createdAt, expiresAt } = row;
      if (name === null) return [];
      const found = { status: subscriptionStatus(row, now), health: healthOf(row) };
      return [
        {
          id,
          callbackId,
          name,
          taskId,
          url,
          createdAt,
          expiresAt,
          ...found,
          deliveries: deliveriesOf(callbackId, newest),
        },
      ];
    });
  }

  return {
    async listSubscriptions(principal, page) {
      return db.transaction(() => list(principal, page));
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  const isAfter = sql`(${callbacks.registeredAt}, ${callbacks.id}) > (${bound("afterTime")}, ${bound("afterId")})`;
  return {
    list: db
      .select(subscriptionColumns)
      .from(callbacks)
      .where(and(callbackIsSubscription, equals(callbacks.principal, "principal"), isAfter))
      .orderBy(asc(callbacks.registeredAt), asc(callbacks.id))
      .limit(limitTo("limit"))
      .prepare(),
    ...prepareDeliveries(db),
  };
}

/** The deliveries of one subscription. */
function prepareDeliveries(db: SqliteConnection["db"]) {
  return {
    // Ids of events sort by time, so the index on callback and event finds the newest.
    deliveries: selectDeliveries(db)
      .where(equals(deliveries.callbackId, "callbackId"))
      .orderBy(desc(deliveries.eventId))
      .limit(limitTo("limit"))
      .prepare(),
    attempts: db
      .select(attemptColumns)
      .from(attempts)
      .where(and(equals(attempts.deliveryId, "deliveryId"), sql`${attempts.number} > +${bound("before")}`))
      .orderBy(asc(attempts.number))
      .prepare(),
  };
}
