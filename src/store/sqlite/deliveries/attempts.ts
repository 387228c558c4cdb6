import { and, isNull, or, sql } from "../engine/drizzle.ts";
import { GONE } from "../../../domain/delivery.ts";
import type { RecordAttempt, RecordAttemptResult, RecordedStep } from "../../../service/ports/delivery-store.ts";
import { callbackIsInOrder, prepareHealth } from "../callbacks/health.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareIsSettled, prepareReopen } from "./outbox.ts";
import { attempts, deliveries } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

const bound = sql.placeholder;

/** Adds an attempt and takes its step, within the caller's transaction. */
export function prepareRecording(db: SqliteConnection["db"]): (command: RecordAttempt) => RecordAttemptResult {
  const statements = prepare(db);
  const reopen = prepareReopen(db);
  const healthAfter = prepareHealth(db);
  const isSettled = prepareIsSettled(db);

  return (command) => {
    const { deliveryId, claim, startedAt, durationMs, outcome, step } = command;
    const { statusCode, error, responseExcerpt } = outcome;
    const attempt = { deliveryId, startedAt, durationMs, statusCode, error, responseExcerpt };
    const endedAt = startedAt + durationMs;
    const settledAt = step.status === "pending" ? null : endedAt;
    const held = statements.take.get({ deliveryId, claim, settledAt, ...columnsOf(step) });
    // What it tells of was overtaken during the attempt: there is no further one.
    const overtaken = held === undefined ? statements.giveUp.get({ deliveryId, claim, endedAt }) : undefined;
    const row = held ?? overtaken;
    if (row === undefined) {
      // Withdrawn or claimed again during the attempt; its history may even be pruned since, and there is nothing left to add to.
      const counted = statements.count.get({ deliveryId });
      if (counted !== undefined) statements.insert.run({ ...attempt, number: counted.attemptCount });
      return { claimHeld: false, eventSettled: false };
    }
    statements.insert.run({ ...attempt, number: row.attemptCount });
    const isGone = step.status === "exhausted" && step.disablesCallback;
    const again = row.sendAgain && sendAgain(deliveryId, endedAt, isGone) ? { isDueAgain: true as const } : {};
    const { callbackId } = row;
    const isInOrder = row.isInOrder === 1;
    // A 410 that ends one delivery only says nothing of the others.
    if (statusCode === GONE && !isGone) return { claimHeld: true, eventSettled: isSettled(row.eventId), ...again };
    const health = healthAfter({ callbackId, isInOrder, error, isGone, endedAt, policy: command.disablePolicy });
    const told = { ...again, ...(health.change !== null && { callbackChange: health.change }) };
    if (overtaken !== undefined) return { claimHeld: false, eventSettled: false, ...told };
    if (step.status !== "pending") return { claimHeld: true, eventSettled: isSettled(row.eventId), ...told };
    return { claimHeld: true, eventSettled: false, ...(health.isDisabled && { isHeld: true }), ...told };
  };

  /** As if it had been asked for right now, which is what it comes to; not to a receiver that is gone. */
  function sendAgain(deliveryId: string, endedAt: number, isGone: boolean): boolean {
    statements.forgetAsking.run({ deliveryId });
    if (!isGone) reopen(deliveryId, endedAt);
    return !isGone;
  }
}

function columnsOf(step: RecordedStep) {
  const reason = step.status === "exhausted" ? (step.reason ?? null) : null;
  if (step.status !== "pending") return { status: step.status, nextAttemptAt: null, reason };
  return { status: step.keepClaim ? "sending" : "pending", nextAttemptAt: step.nextAttemptAt, reason };
}

function prepare(db: SqliteConnection["db"]) {
  const isDelivery = equals(deliveries.id, "deliveryId");
  return {
    count: db
      .update(deliveries)
      .set({ attemptCount: sql`${deliveries.attemptCount} + 1` })
      .where(isDelivery)
      .returning({ attemptCount: deliveries.attemptCount })
      .prepare(),
    forgetAsking: db.update(deliveries).set({ sendAgain: false }).where(isDelivery).prepare(),
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
    ...prepareSteps(db),
  };
}

/** What an attempt makes of its delivery, if the claim holds. */
function prepareSteps(db: SqliteConnection["db"]) {
  const isDelivery = equals(deliveries.id, "deliveryId");
  const claimHolds = and(isDelivery, sql`${deliveries.status} = 'sending'`, equals(deliveries.claim, "claim"));
  const { eventId, callbackId, attemptCount, sendAgain } = deliveries;
  const taken = { eventId, callbackId, attemptCount, sendAgain, isInOrder: callbackIsInOrder };
  return {
    take: db
      .update(deliveries)
      .set({
        attemptCount: sql`${deliveries.attemptCount} + 1`,
        status: sql`${bound("status")}`,
        nextAttemptAt: sql`${bound("nextAttemptAt")}`,
        reason: sql`${bound("reason")}`,
        settledAt: sql`${bound("settledAt")}`,
      })
      .where(and(claimHolds, or(isNull(deliveries.reason), sql`${bound("status")} not in ('pending', 'sending')`)))
      .returning(taken)
      .prepare(),
    giveUp: db
      .update(deliveries)
      .set({
        attemptCount: sql`${deliveries.attemptCount} + 1`,
        status: "cancelled",
        nextAttemptAt: null,
        settledAt: sql`${bound("endedAt")}`,
      })
      .where(and(claimHolds, sql`${deliveries.reason} = 'superseded'`))
      .returning(taken)
      .prepare(),
  };
}
