import { and, eq, ne, sql } from "drizzle-orm";
import type { RecordAttempt, RecordAttemptResult, RecordedStep } from "../../service/ports.ts";
import type { SqliteConnection } from "./connection.ts";
import { attempts, callbacks, deliveries, deliveryIsOpen } from "./schema.ts";

const bound = sql.placeholder;

/** Adds an attempt and takes its step, within the caller's transaction. */
export function prepareRecording(db: SqliteConnection["db"]): (command: RecordAttempt) => RecordAttemptResult {
  const statements = prepare(db);

  function disableCallback(callbackId: string, settledAt: number): void {
    statements.disable.run({ callbackId });
    statements.withdraw.run({ callbackId, settledAt });
  }

  return (command) => {
    const { deliveryId, startedAt, durationMs, outcome, step } = command;
    const row = statements.count.get({ deliveryId });
    if (row === undefined) return { claimHeld: false, eventSettled: false };
    statements.insert.run({ deliveryId, number: row.attemptCount, startedAt, durationMs, ...outcome });
    const claimHeld = row.status === "sending" && row.claim === command.claim;
    if (!claimHeld) return { claimHeld, eventSettled: false };
    const settledAt = step.status === "pending" ? null : startedAt + durationMs;
    statements.take.run({ deliveryId, settledAt, ...columnsOf(step) });
    if (step.status === "pending" || settledAt === null) return { claimHeld, eventSettled: false };
    if (step.status === "exhausted" && step.disablesCallback) disableCallback(row.callbackId, settledAt);
    return { claimHeld, eventSettled: statements.anyOpen.get({ eventId: row.eventId }) === undefined };
  };
}

function columnsOf(step: RecordedStep) {
  if (step.status !== "pending") return { status: step.status, nextAttemptAt: null };
  return { status: step.keepClaim ? "sending" : "pending", nextAttemptAt: step.nextAttemptAt };
}

function prepare(db: SqliteConnection["db"]) {
  return {
    count: db
      .update(deliveries)
      .set({ attemptCount: sql`${deliveries.attemptCount} + 1` })
      .where(eq(deliveries.id, bound("deliveryId")))
      .returning({
        eventId: deliveries.eventId,
        callbackId: deliveries.callbackId,
        status: deliveries.status,
        claim: deliveries.claim,
        attemptCount: deliveries.attemptCount,
      })
      .prepare(),
    insert: db
      .insert(attempts)
      .values({
        deliveryId: bound("deliveryId"),
        number: bound("number"),
        startedAt: bound("startedAt"),
        durationMs: bound("durationMs"),
        statusCode: bound("statusCode"),
        error: bound("error"),
        responseExcerpt: bound("responseExcerpt"),
      })
      .prepare(),
    take: db
      .update(deliveries)
      .set({
        status: sql`${bound("status")}`,
        nextAttemptAt: sql`${bound("nextAttemptAt")}`,
        settledAt: sql`${bound("settledAt")}`,
      })
      .where(eq(deliveries.id, bound("deliveryId")))
      .prepare(),
    // Left to itself SQLite takes deliveries_event and reads all deliveries of the event, the settled ones too.
    anyOpen: db
      .select({ id: sql<string>`"id"` })
      .from(sql`${deliveries} indexed by "deliveries_open"`)
      .where(and(deliveryIsOpen, eq(deliveries.eventId, bound("eventId"))))
      .limit(1)
      .prepare(),
    disable: db
      .update(callbacks)
      .set({ status: "disabled" })
      .where(and(eq(callbacks.id, bound("callbackId")), ne(callbacks.status, "removed")))
      .prepare(),
    withdraw: db
      .update(deliveries)
      .set({ status: "cancelled", nextAttemptAt: null, settledAt: sql`${bound("settledAt")}` })
      .where(and(deliveryIsOpen, eq(deliveries.callbackId, bound("callbackId"))))
      .prepare(),
  };
}
