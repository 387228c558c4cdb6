import { and, count, desc, eq, sql } from "../engine/drizzle.ts";
import { IN_ORDER } from "../../../domain/callback-state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deliveryIsOpen, subscriptionIsPending, subscriptionIsNotRemoved } from "../schema/conditions.ts";
import { attempts, callbacks, deliveries, verifiedUrls } from "../schema/tables.ts";
import { subscriptionColumns } from "./rows.ts";

const bound = sql.placeholder;

/** With `subscriptionIsNotRemoved` the rule `isLive` for many rows: the subscriptions that count, and that an event is enqueued for. */
export const isInTime = sql`(${callbacks.expiresAt} is null or ${callbacks.expiresAt} > ${bound("now")})`;

export function prepareSubscriptions(db: SqliteConnection["db"]) {
  return { ...prepareLooking(db), ...prepareCreating(db), ...prepareChanging(db), ...prepareDeliveries(db) };
}

function prepareCreating(db: SqliteConnection["db"]) {
  return {
    insert: db
      .insert(callbacks)
      .values({
        id: bound("callbackId"),
        subscriptionId: bound("id"),
        principal: bound("principal"),
        taskId: bound("taskId"),
        clientId: bound("id"),
        url: bound("url"),
        origin: bound("origin"),
        eventName: sql`${bound("name")}`,
        events: bound("events"),
        signingSecret: bound("signingSecret"),
        profile: "mcp-events",
        status: "active",
        awaitsTask: false,
        registeredAt: bound("now"),
        expiresAt: bound("expiresAt"),
      })
      .returning(subscriptionColumns)
      .prepare(),
    recreate: db
      .update(callbacks)
      .set({
        status: "active",
        signingSecret: sql`${bound("signingSecret")}`,
        olderSecrets: null,
        registeredAt: sql`${bound("now")}`,
        expiresAt: sql`${bound("expiresAt")}`,
        lastDeliveryAt: null,
        ...IN_ORDER,
      })
      .where(equals(callbacks.id, "callbackId"))
      .returning(subscriptionColumns)
      .prepare(),
  };
}

function prepareChanging(db: SqliteConnection["db"]) {
  const isCallback = equals(callbacks.id, "callbackId");
  return {
    extend: db
      .update(callbacks)
      .set({ expiresAt: sql`${bound("expiresAt")}` })
      .where(isCallback)
      .prepare(),
    extendDeliveries: db
      .update(deliveries)
      .set({ notAfter: sql`${bound("expiresAt")}` })
      .where(and(deliveryIsOpen, equals(deliveries.callbackId, "callbackId")))
      .prepare(),
    recordVerified: db
      .insert(verifiedUrls)
      .values({ principal: bound("principal"), url: bound("url"), until: bound("until") })
      .onConflictDoUpdate({
        target: [verifiedUrls.principal, verifiedUrls.url],
        set: { until: sql`excluded."until"` },
      })
      .prepare(),
  };
}

/** The deliveries of one subscription. */
function prepareDeliveries(db: SqliteConnection["db"]) {
  return {
    deliveryOf: db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(and(equals(deliveries.callbackId, "callbackId"), equals(deliveries.eventId, "eventId")))
      .prepare(),
    setCursor: db
      .update(deliveries)
      .set({ cursor: sql`${bound("cursor")}` })
      .where(equals(deliveries.id, "deliveryId"))
      .prepare(),
    waiting: db
      .select({
        nextAttemptAt: deliveries.nextAttemptAt,
        numberInSchedule: sql<number>`${deliveries.attemptCount} - ${deliveries.attemptsBefore}`,
        endedAt: sql<number>`${attempts.startedAt} + ${attempts.durationMs}`,
        statusCode: attempts.statusCode,
      })
      .from(deliveries)
      .innerJoin(attempts, and(eq(attempts.deliveryId, deliveries.id), eq(attempts.number, deliveries.attemptCount)))
      .where(
        and(
          subscriptionIsPending,
          equals(deliveries.callbackId, "callbackId"),
          sql`${deliveries.nextAttemptAt} > ${bound("now")}`,
        ),
      )
      .orderBy(desc(deliveries.nextAttemptAt))
      .limit(limitTo("limit"))
      .prepare(),
  };
}

function prepareLooking(db: SqliteConnection["db"]) {
  const isOwn = equals(callbacks.principal, "principal");
  return {
    find: db.select(subscriptionColumns).from(callbacks).where(equals(callbacks.subscriptionId, "id")).prepare(),
    countOwn: db
      .select({ own: count() })
      .from(callbacks)
      .where(and(subscriptionIsNotRemoved, isOwn, isInTime))
      .prepare(),
    countAll: db.select({ all: count() }).from(callbacks).where(and(subscriptionIsNotRemoved, isInTime)).prepare(),
    verified: db
      .select({ until: verifiedUrls.until })
      .from(verifiedUrls)
      .where(
        and(
          equals(verifiedUrls.principal, "principal"),
          equals(verifiedUrls.url, "url"),
          sql`${verifiedUrls.until} > ${bound("now")}`,
        ),
      )
      .prepare(),
    /** From one principal to the next by index, however many subscriptions each has. */
    nextPrincipal: db
      .select({ principal: sql<string | null>`min(${callbacks.principal})` })
      .from(callbacks)
      .where(and(subscriptionIsNotRemoved, sql`${callbacks.principal} > ${bound("after")}`))
      .prepare(),
    allOf: db
      .select(subscriptionColumns)
      .from(callbacks)
      .where(and(subscriptionIsNotRemoved, isOwn))
      .limit(limitTo("limit"))
      .prepare(),
  };
}
