import { and, eq, ne, sql } from "drizzle-orm";
import type { RecordAttempt, RecordAttemptResult, RecordedStep } from "../../service/ports.ts";
import type { SqliteConnection } from "./connection.ts";
import { prepareIsSettled, prepareReopen, prepareWithdraw } from "./outbox.ts";
import { attempts, callbacks, deliveries } from "./schema.ts";

const bound = sql.placeholder;

/** Adds an attempt and takes its step, within the caller's transaction. */
export function prepareRecording(db: SqliteConnection["db"]): (command: RecordAttempt) => RecordAttemptResult {
  const statements = prepare(db);
  const reopen = prepareReopen(db);
  const withdraw = prepareWithdraw(db);
  const isSettled = prepareIsSettled(db);

  function disableCallback(callbackId: string, settledAt: number): void {
    statements.disable.run({ callbackId });
    withdraw(callbackId, settledAt);
  }

  return (command) => {
    const { deliveryId, startedAt, durationMs, outcome, step } = command;
    const row = statements.find.get({ deliveryId });
    // Withdrawn during the attempt, and its history pruned since: there is nothing left to add to.
    if (row === undefined) return { claimHeld: false, eventSettled: false };
    const { statusCode, error, responseExcerpt } = outcome;
    const attempt = { number: row.attemptCount + 1, startedAt, durationMs, statusCode, error, responseExcerpt };
    statements.insert.run({ deliveryId, ...attempt });
    const claimHeld = row.status === "sending" && row.claim === command.claim;
    if (!claimHeld) {
      statements.count.run({ deliveryId });
      return { claimHeld, eventSettled: false };
    }
    const endedAt = startedAt + durationMs;
    statements.take.run({ deliveryId, settledAt: step.status === "pending" ? null : endedAt, ...columnsOf(step) });
    if (step.status === "exhausted" && step.disablesCallback) disableCallback(row.callbackId, endedAt);
    // As if it had been asked for right now, which is what it comes to.
    else if (row.sendAgain) reopen(deliveryId, endedAt);
    if (step.status === "pending") return { claimHeld, eventSettled: false };
    return { claimHeld, eventSettled: isSettled(row.eventId) };
  };
}

function columnsOf(step: RecordedStep) {
  const reason = step.status === "exhausted" ? (step.reason ?? null) : null;
  if (step.status !== "pending") return { status: step.status, nextAttemptAt: null, reason };
  return { status: step.keepClaim ? "sending" : "pending", nextAttemptAt: step.nextAttemptAt, reason };
}

function prepare(db: SqliteConnection["db"]) {
  return {
    find: db
      .select({
        eventId: deliveries.eventId,
        callbackId: deliveries.callbackId,
        status: deliveries.status,
        claim: deliveries.claim,
        sendAgain: deliveries.sendAgain,
        attemptCount: deliveries.attemptCount,
      })
      .from(deliveries)
      .where(eq(deliveries.id, bound("deliveryId")))
      .prepare(),
    count: db
      .update(deliveries)
      .set({ attemptCount: sql`${deliveries.attemptCount} + 1` })
      .where(eq(deliveries.id, bound("deliveryId")))
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
        attemptCount: sql`${deliveries.attemptCount} + 1`,
        status: sql`${bound("status")}`,
        nextAttemptAt: sql`${bound("nextAttemptAt")}`,
        reason: sql`${bound("reason")}`,
        settledAt: sql`${bound("settledAt")}`,
        sendAgain: false,
      })
      .where(eq(deliveries.id, bound("deliveryId")))
      .prepare(),
    disable: db
      .update(callbacks)
      .set({ status: "disabled" })
      .where(and(eq(callbacks.id, bound("callbackId")), ne(callbacks.status, "removed")))
      .prepare(),
  };
}
