/** What several verbs do to deliveries or ask of them, each within its caller's transaction. */
import { and, eq, sql } from "drizzle-orm";
import type { DeliveryStatus } from "../../domain/delivery.ts";
import type { DeliveryFilter } from "../../service/callback-ports.ts";
import type { SqliteConnection } from "./connection.ts";
import { callbacks, deliveries, deliveryIsOpen } from "./schema.ts";

const bound = sql.placeholder;

const isKeptOverWait = sql`${deliveries.status} = 'sending' and ${deliveries.nextAttemptAt} is not null`;
const isBeingSent = sql`${deliveries.status} = 'sending' and ${deliveries.nextAttemptAt} is null`;

/** A claim that is kept over a short wait is nothing a reader should know of: the delivery waits for its next attempt. */
export const statusShown = sql<DeliveryStatus>`case when ${isKeptOverWait} then 'pending' else ${deliveries.status} end`;

/** With the parameters of `filterParameters`. */
export const deliveryMatches = sql`
  (${bound("statuses")} is null or ${statusShown} in (select value from json_each(${bound("statuses")})))
  and (${bound("since")} is null or ${deliveries.createdAt} >= ${bound("since")})`;

export function filterParameters({ statuses, since }: DeliveryFilter) {
  return { statuses: statuses === null ? null : JSON.stringify(statuses), since };
}

/**
 * Opens a delivery again: a settled one with its schedule anew; a pending one is only due now (a claim kept over a wait is void by
 * that); one that is being sent is marked, since its claim must hold until its attempt is recorded.
 */
export function prepareReopen(db: SqliteConnection["db"]): (deliveryId: string, now: number) => void {
  const dueNow = sql`min(coalesce(${deliveries.nextAttemptAt}, ${bound("now")}), ${bound("now")})`;
  const statement = db
    .update(deliveries)
    .set({
      status: sql`case when ${isBeingSent} then 'sending' else 'pending' end`,
      sendAgain: sql`${isBeingSent}`,
      attemptsBefore: sql`case when ${deliveryIsOpen} then ${deliveries.attemptsBefore} else ${deliveries.attemptCount} end`,
      nextAttemptAt: sql`case when ${isBeingSent} then null else ${dueNow} end`,
      reason: null,
      // The callback's, which may have been chosen anew since.
      notAfter: sql`(select ${callbacks.notAfter} from ${callbacks} where ${callbacks.id} = ${deliveries.callbackId})`,
      settledAt: null,
    })
    .where(eq(deliveries.id, bound("deliveryId")))
    .prepare();
  return (deliveryId, now) => void statement.run({ deliveryId, now });
}

/** Cancels what is open of a callback, claims included; returns how many deliveries that were. */
export function prepareWithdraw(db: SqliteConnection["db"]): (callbackId: string, settledAt: number) => number {
  const statement = db
    .update(deliveries)
    .set({ status: "cancelled", nextAttemptAt: null, settledAt: sql`${bound("settledAt")}` })
    .where(and(deliveryIsOpen, eq(deliveries.callbackId, bound("callbackId"))))
    .prepare();
  return (callbackId, settledAt) => statement.run({ callbackId, settledAt }).changes;
}

/** Whether an event has no open delivery left. */
export function prepareIsSettled(db: SqliteConnection["db"]): (eventId: string) => boolean {
  const anyOpen = db
    .select({ one: sql<number>`1` })
    // Left to itself SQLite takes deliveries_event and reads all deliveries of the event, the settled ones too.
    .from(sql`${deliveries} indexed by "deliveries_open"`)
    .where(and(deliveryIsOpen, eq(deliveries.eventId, bound("eventId"))))
    .limit(1)
    .prepare();
  return (eventId) => anyOpen.get({ eventId }) === undefined;
}
