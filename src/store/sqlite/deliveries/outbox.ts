/** What several verbs do to the deliveries of one callback or event, each within its caller's transaction. */
import { and, eq, isNotNull, sql } from "../engine/drizzle.ts";
import type { DeliveryReason } from "../../../domain/delivery.ts";
import type { DeliveryFilter } from "../../../service/ports/delivery-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deliveryIsOpen } from "../schema/conditions.ts";
import { callbacks, deliveries } from "../schema/tables.ts";

const bound = sql.placeholder;

const isPending = eq(deliveries.status, sql.raw("'pending'"));

/** The rule `shownStatus` for a filter in SQL. The conformance suite compares both. */
const shownStatus = sql`case when ${deliveries.status} = 'sending' and ${deliveries.nextAttemptAt} is not null
  then 'pending' else ${deliveries.status} end`;

/** From when on no attempt begins: a registered callback has a not_after, a subscription an expires_at. */
export const deadlineOfCallback = sql<number | null>`coalesce(${callbacks.expiresAt}, ${callbacks.notAfter})`;

/** With the parameters of `filterParameters`. */
export const deliveryMatches = sql`
  (${bound("statuses")} is null or ${shownStatus} in (select value from json_each(${bound("statuses")})))
  and (${bound("since")} is null or ${deliveries.createdAt} >= ${bound("since")})`;

export function filterParameters({ statuses, since }: DeliveryFilter) {
  return { statuses: statuses === null ? null : JSON.stringify(statuses), since };
}

/**
 * Cancels the open deliveries of a callback and returns how many those were. `reason`: null where its owner asked for it. One statement,
 * since a callback may have thousands; it implements the rule `withdrawn`.
 */
export function prepareWithdraw(
  db: SqliteConnection["db"],
): (callbackId: string, settledAt: number, reason: DeliveryReason | null) => number {
  const statement = db
    .update(deliveries)
    .set({
      status: "cancelled",
      nextAttemptAt: null,
      settledAt: sql`${bound("settledAt")}`,
      reason: sql`${bound("reason")}`,
    })
    .where(and(deliveryIsOpen, equals(deliveries.callbackId, "callbackId")))
    .prepare();
  return (callbackId, settledAt, reason) => statement.run({ callbackId, settledAt, reason }).changes;
}

/**
 * Holds the open deliveries of a callback that was disabled for failing, and returns how many are held now that were not. One statement,
 * since a callback may have thousands; it implements the rule `held`.
 */
export function prepareHold(db: SqliteConnection["db"]): (callbackId: string) => number {
  const statement = db
    .update(deliveries)
    .set({ status: "pending", nextAttemptAt: null })
    .where(and(deliveryIsOpen, equals(deliveries.callbackId, "callbackId"), isNotNull(deliveries.nextAttemptAt)))
    .prepare();
  return (callbackId) => statement.run({ callbackId }).changes;
}

/** Makes the held deliveries of a callback due and returns how many those were. One statement, which implements the rule `resumed`. */
export function prepareResume(db: SqliteConnection["db"]): (callbackId: string, now: number) => number {
  const statement = db
    .update(deliveries)
    .set({ nextAttemptAt: sql`${bound("now")}` })
    // The plus keeps SQLite from the index of what is due, where it would read the held deliveries of all callbacks.
    .where(and(isPending, equals(deliveries.callbackId, "callbackId"), sql`+${deliveries.nextAttemptAt} is null`))
    .prepare();
  return (callbackId, now) => statement.run({ callbackId, now }).changes;
}

/** Whether an event has no open delivery left. */
export function prepareIsSettled(db: SqliteConnection["db"]): (eventId: string) => boolean {
  const anyOpen = db
    .select({ one: sql<number>`1` })
    // Without the hint SQLite takes deliveries_event_id and reads the settled deliveries of the event too.
    .from(sql`${deliveries} indexed by "deliveries_open"`)
    .where(and(deliveryIsOpen, equals(deliveries.eventId, "eventId")))
    .limit(limitTo(1))
    .prepare();
  return (eventId) => anyOpen.get({ eventId }) === undefined;
}
