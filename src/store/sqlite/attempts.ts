import { eq, sql } from "./drizzle.ts";
import { GONE } from "../../domain/delivery.ts";
import type { RecordAttempt, RecordAttemptResult, RecordedStep } from "../../service/delivery-ports.ts";
import { prepareHealth } from "./callback-health.ts";
import type { SqliteConnection } from "./connection.ts";
import { prepareIsSettled, prepareReopen } from "./outbox.ts";
import { attempts, deliveries } from "./schema.ts";

const bound = sql.placeholder;

/** Adds an attempt and takes its step, within the caller's transaction. */
export function prepareRecording(db: SqliteConnection["db"]): (command: RecordAttempt) => RecordAttemptResult {
  const statements = prepare(db);
  const reopen = prepareReopen(db);
  const healthAfter = prepareHealth(db);
  const isSettled = prepareIsSettled(db);

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
    // What it tells of was overtaken during the attempt: there is no further one.
    const isOvertaken = row.reason === "superseded" && step.status === "pending";
    const columns = isOvertaken ? SUPERSEDED : columnsOf(step);
    statements.take.run({ deliveryId, settledAt: columns.nextAttemptAt === null ? endedAt : null, ...columns });
    const isGone = step.status === "exhausted" && step.disablesCallback;
    // As if it had been asked for right now, which is what it comes to.
    if (row.sendAgain && !isGone) reopen(deliveryId, endedAt);
    const { callbackId } = row;
    // A 410 that ends one delivery only says nothing of the others.
    if (statusCode === GONE && !isGone) return { claimHeld, eventSettled: isSettled(row.eventId) };
    const health = healthAfter({ callbackId, error, isGone, endedAt, policy: command.disablePolicy });
    const told = health.change === null ? {} : { callbackChange: health.change };
    if (isOvertaken) return { claimHeld: false, eventSettled: false, ...told };
    if (step.status !== "pending") return { claimHeld, eventSettled: isSettled(row.eventId), ...told };
    return { claimHeld, eventSettled: false, ...(health.isDisabled && { isHeld: true }), ...told };
  };
}

const SUPERSEDED = { status: "cancelled", nextAttemptAt: null, reason: "superseded" } as const;

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
        reason: deliveries.reason,
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
  };
}
