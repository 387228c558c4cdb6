/** What several verbs do to deliveries or ask of them, each within its caller's transaction. */
import { and, eq, isNotNull, sql } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import type { DeliveryReason, DeliveryStatus } from "../../../domain/delivery.ts";
import type { DeliveryFilter } from "../../../service/ports/delivery-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deliveryIsOpen } from "../schema/conditions.ts";
import { callbacks, deliveries } from "../schema/tables.ts";

const bound = sql.placeholder;

const isKeptOverWait = sql`${deliveries.status} = 'sending' and ${deliveries.nextAttemptAt} is not null`;
const isPending = eq(deliveries.status, sql.raw("'pending'"));
export const isBeingSent = sql`${deliveries.status} = 'sending' and ${deliveries.nextAttemptAt} is null`;

/** A claim that is kept over a short wait is nothing a reader should know of: the delivery waits for its next attempt. */
export const statusShown = sql<DeliveryStatus>`case when ${isKeptOverWait} then 'pending' else ${deliveries.status} end`;

/** A registered callback has a not_after, a subscription an expires_at. */
export const deadlineOfCallback = sql<number | null>`coalesce(${callbacks.expiresAt}, ${callbacks.notAfter})`;

/** With the parameters of `filterParameters`. */
export const deliveryMatches = sql`
  (${bound("statuses")} is null or ${statusShown} in (select value from json_each(${bound("statuses")})))
  and (${bound("since")} is null or ${deliveries.createdAt} >= ${bound("since")})`;

export function filterParameters({ statuses, since }: DeliveryFilter) {
  return { statuses: statuses === null ? null : JSON.stringify(statuses), since };
}

/**
 * Opens a delivery again, its schedule anew: it is due now (a claim kept over a wait is void by that), or marked if it is being sent,
 * since its claim must hold until its attempt is recorded.
 */
export function prepareReopen(db: SqliteConnection["db"]): (deliveryId: string, now: number) => void {
  const dueNow = sql`min(coalesce(${deliveries.nextAttemptAt}, ${bound("now")}), ${bound("now")})`;
  const statement = db
    .update(deliveries)
    .set({
      status: sql`case when ${isBeingSent} then 'sending' else 'pending' end`,
      sendAgain: sql`${isBeingSent}`,
      attemptsBefore: sql`${deliveries.attemptCount}`,
      nextAttemptAt: sql`case when ${isBeingSent} then null else ${dueNow} end`,
      reason: null,
      // The callback's, which may have been chosen anew since.
      notAfter: sql`(select ${deadlineOfCallback} from ${callbacks} where ${callbacks.id} = ${deliveries.callbackId})`,
      settledAt: null,
    })
    .where(equals(deliveries.id, "deliveryId"))
    .prepare();
  return (deliveryId, now) => void statement.run({ deliveryId, now });
}

/** Cancels what is open of a callback, claims included; returns how many deliveries that were. `reason`: where its owner did not ask for it. */
export function prepareWithdraw(
  db: SqliteConnection["db"],
): (callbackId: string, settledAt: number, reason?: DeliveryReason) => number {
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
  return (callbackId, settledAt, reason) => statement.run({ callbackId, settledAt, reason: reason ?? null }).changes;
}

/**
 * Holds what a callback disabled for failing is owed: pending without a time, so that no claim finds it; a claim kept over a wait is
 * void by that. What is being sent goes on, and is held once its attempt is recorded. Returns how many are held now that were not.
 */
export function prepareHold(db: SqliteConnection["db"]): (callbackId: string) => number {
  const statement = db
    .update(deliveries)
    .set({ status: "pending", nextAttemptAt: null })
    .where(and(deliveryIsOpen, equals(deliveries.callbackId, "callbackId"), isNotNull(deliveries.nextAttemptAt)))
    .prepare();
  return (callbackId) => statement.run({ callbackId }).changes;
}

/** Makes what is held of a callback due, its place in the schedule kept; returns how many deliveries that were. */
export function prepareResume(db: SqliteConnection["db"]): (callbackId: string, now: number) => number {
  const statement = db
    .update(deliveries)
    .set({ nextAttemptAt: sql`${bound("now")}` })
    // The plus keeps SQLite from the index of what is due, where it would read what is held of all callbacks.
    .where(and(isPending, equals(deliveries.callbackId, "callbackId"), sql`+${deliveries.nextAttemptAt} is null`))
    .prepare();
  return (callbackId, now) => statement.run({ callbackId, now }).changes;
}

/** What becomes of a delivery that goes back from a claim: due at `dueAt`, or not until its callback is enabled, or at its end if it was overtaken. */
export function columnsGivenBack(dueAt: SQL) {
  const callback = sql`select 1 from ${callbacks} where ${callbacks.id} = ${deliveries.callbackId}`;
  const isHeld = sql`exists (${callback} and ${callbacks.status} = 'disabled')`;
  const isOvertaken = sql`${deliveries.reason} = 'superseded'`;
  return {
    status: sql`case when ${isOvertaken} then 'cancelled' else 'pending' end`,
    nextAttemptAt: sql`case when ${isOvertaken} or ${isHeld} then null else ${dueAt} end`,
    settledAt: sql`case when ${isOvertaken} then ${dueAt} end`,
  };
}

/** Whether an event has no open delivery left. */
export function prepareIsSettled(db: SqliteConnection["db"]): (eventId: string) => boolean {
  const anyOpen = db
    .select({ one: sql<number>`1` })
    // Left to itself SQLite takes deliveries_event_id and reads all deliveries of the event, the settled ones too.
    .from(sql`${deliveries} indexed by "deliveries_open"`)
    .where(and(deliveryIsOpen, equals(deliveries.eventId, "eventId")))
    .limit(limitTo(1))
    .prepare();
  return (eventId) => anyOpen.get({ eventId }) === undefined;
}
