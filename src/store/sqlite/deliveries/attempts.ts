import { and, isNull, sql } from "../engine/drizzle.ts";
import { recorded } from "../../../domain/delivery-state.ts";
import type { DeliveryState, Recorded, RecordedAttempt } from "../../../domain/delivery-state.ts";
import type { RecordAttempt, RecordAttemptResult } from "../../../service/ports/delivery-store.ts";
import { callbackIsInOrder, prepareHealth } from "../callbacks/health.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareIsSettled } from "./outbox.ts";
import { prepareDeliveryStates } from "./state.ts";
import { attempts, deliveries } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

const bound = sql.placeholder;

/** Adds an attempt and takes its step by the rule `recorded`, within the caller's transaction. */
export function prepareRecording(db: SqliteConnection["db"]): (command: RecordAttempt) => RecordAttemptResult {
  const statements = prepare(db);
  const states = prepareDeliveryStates(db);
  const noteHealth = prepareHealth(db);
  const isSettled = prepareIsSettled(db);

  /** Writes the step on condition of the state that nearly every claimed delivery has, without a read before it. */
  function takeExpected(deliveryId: string, attempt: RecordedAttempt): Taken | null {
    const { state, ...result } = recorded({ ...EXPECTED, claim: attempt.claim }, attempt, null);
    const { status, nextAttemptAt, reason, settledAt } = state;
    const key = { deliveryId, claim: attempt.claim };
    const row = statements.take.get({ ...key, status, nextAttemptAt, reason, settledAt });
    return row === undefined ? null : { ...row, ...result };
  }

  /** For any other state: reads it first. Null: retention has removed the delivery. */
  function takeOther(deliveryId: string, attempt: RecordedAttempt): Taken | null {
    const row = states.read(deliveryId);
    if (row === undefined) return null;
    const { state, ...result } = recorded(row.state, attempt, row.callback.notAfter);
    states.write(deliveryId, row.state, state);
    return { ...row.delivery, ...result, attemptCount: state.attemptCount, isInOrder: 0 };
  }

  return (command) => {
    const { deliveryId, claim, startedAt, durationMs, outcome, step, disablePolicy: policy } = command;
    const { statusCode, error, responseExcerpt } = outcome;
    const endedAt = startedAt + durationMs;
    const attempt = { claim, step, endedAt };
    const taken = takeExpected(deliveryId, attempt) ?? takeOther(deliveryId, attempt);
    if (taken === null) return CLAIM_VOID;
    const { eventId, callbackId, attemptCount: number } = taken;
    statements.insert.run({ deliveryId, number, startedAt, durationMs, statusCode, error, responseExcerpt });
    if (taken.claim === "void") return CLAIM_VOID;
    const isGone = step.status === "exhausted" && step.disablesCallback;
    const again = taken.isDueAgain ? { isDueAgain: true as const } : {};
    const isInOrder = taken.isInOrder === 1;
    const health = noteHealth({ callbackId, isInOrder, error, statusCode, isGone, endedAt, policy });
    const changes = { ...again, ...(health.change !== null && { callbackChange: health.change }) };
    if (taken.claim === "superseded") return { ...CLAIM_VOID, ...changes };
    if (step.status !== "pending") return { claimWasCurrent: true, eventSettled: isSettled(eventId), ...changes };
    return { claimWasCurrent: true, eventSettled: false, ...(health.isDisabled && { isHeld: true }), ...changes };
  };
}

/** The parts of the delivery that the result needs. `isInOrder`: as `callbackIsInOrder` gives it; 0: not known. */
interface Taken extends Omit<Recorded, "state"> {
  readonly eventId: string;
  readonly callbackId: string;
  readonly attemptCount: number;
  readonly isInOrder: number;
}

const CLAIM_VOID = { claimWasCurrent: false, eventSettled: false } as const;

/** A claimed delivery that no other operation has changed since. Its counts have no effect on the step. */
const EXPECTED: Omit<DeliveryState, "claim"> = {
  status: "sending",
  attemptCount: 0,
  attemptsBefore: 0,
  nextAttemptAt: null,
  sendAgain: false,
  notAfter: null,
  reason: null,
  settledAt: null,
};

function prepare(db: SqliteConnection["db"]) {
  const { eventId, callbackId, attemptCount } = deliveries;
  return {
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
    /** Changes only a delivery in the state EXPECTED. */
    take: db
      .update(deliveries)
      .set({
        attemptCount: sql`${deliveries.attemptCount} + 1`,
        status: sql`${bound("status")}`,
        nextAttemptAt: sql`${bound("nextAttemptAt")}`,
        reason: sql`${bound("reason")}`,
        settledAt: sql`${bound("settledAt")}`,
      })
      .where(
        and(
          equals(deliveries.id, "deliveryId"),
          sql`${deliveries.status} = 'sending'`,
          equals(deliveries.claim, "claim"),
          isNull(deliveries.reason),
          sql`${deliveries.sendAgain} = 0`,
        ),
      )
      .returning({ eventId, callbackId, attemptCount, isInOrder: callbackIsInOrder })
      .prepare(),
  };
}
