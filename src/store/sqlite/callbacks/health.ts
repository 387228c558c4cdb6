/** What attempts do to their callback, and what brings it back; within the caller's transaction. */
import { and, eq, sql } from "../engine/drizzle.ts";
import type { AttemptError } from "../../../domain/attempt.ts";
import { shouldDisable } from "../../../domain/callback-health.ts";
import type { DisabledReason, DisablePolicy } from "../../../domain/callback-health.ts";
import type { CallbackChange } from "../../../service/ports/callback-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareHold, prepareResume, prepareWithdraw } from "../deliveries/outbox.ts";
import { callbacks, deliveries } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

const bound = sql.placeholder;

/** What is left of failures once a callback starts anew. */
export const IN_ORDER = { failingSince: null, failures: 0, lastError: null, disabledReason: null, disabledAt: null };

export const healthColumns = {
  failingSince: callbacks.failingSince,
  failures: callbacks.failures,
  lastError: callbacks.lastError,
  disabledReason: callbacks.disabledReason,
  disabledAt: callbacks.disabledAt,
};

/** An attempt whose claim held, its step taken. */
export interface AttemptEnd {
  readonly callbackId: string;
  /** As `callbackIsInOrder` says. */
  readonly isInOrder: boolean;
  readonly error: AttemptError | null;
  /** Its receiver answered 410. */
  readonly isGone: boolean;
  readonly endedAt: number;
  readonly policy: DisablePolicy | null;
}
export interface HealthAfter {
  readonly isDisabled: boolean;
  /** Null: it was so before. */
  readonly change: CallbackChange | null;
}

/** Of a delivery's callback: a success changes nothing of it, as of nearly all. Only a subscription shows its last delivery. */
export const callbackIsInOrder = sql<number>`exists (select 1 from ${callbacks} where ${callbacks.id} = ${deliveries.callbackId}
  and ${callbacks.subscriptionId} is null and ${callbacks.failingSince} is null)`;

export function prepareHealth(db: SqliteConnection["db"]): (attempt: AttemptEnd) => HealthAfter {
  const statements = prepare(db);
  const enable = prepareEnable(db);
  const hold = prepareHold(db);
  const withdraw = prepareWithdraw(db);

  function succeed(callbackId: string, endedAt: number): HealthAfter {
    const row = statements.succeed.get({ callbackId, endedAt });
    // It was under way when the others disabled the callback: what it is owed need not wait any more.
    if (row?.status !== "disabled") return { isDisabled: false, change: null };
    return { isDisabled: false, change: { status: "active", resumedCount: enable(callbackId, endedAt) ?? 0 } };
  }

  function disable(callbackId: string, reason: DisabledReason, failingSince: number, endedAt: number): HealthAfter {
    statements.disable.run({ callbackId, reason, endedAt });
    const heldCount = reason === "failing" ? hold(callbackId) : 0;
    if (reason === "gone") withdraw(callbackId, endedAt, null);
    return { isDisabled: true, change: { status: "disabled", reason, failingSince, heldCount } };
  }

  return ({ callbackId, isInOrder, error, isGone, endedAt, policy }) => {
    if (error === null) return isInOrder ? { isDisabled: false, change: null } : succeed(callbackId, endedAt);
    const row = statements.fail.get({ callbackId, error, endedAt });
    if (row === undefined) throw new Error(`Callback ${callbackId} is gone.`);
    const { status, ...health } = row;
    const failingSince = health.failingSince ?? endedAt;
    if (isGone) return disable(callbackId, "gone", failingSince, endedAt);
    if (status === "disabled") {
      hold(callbackId);
      return { isDisabled: true, change: null };
    }
    if (policy === null || !shouldDisable(health, endedAt, policy)) return { isDisabled: false, change: null };
    return disable(callbackId, "failing", failingSince, endedAt);
  };
}

/** Makes a disabled callback active and what it is owed due now. Returns how many deliveries had waited; null: it was not disabled. */
export function prepareEnable(db: SqliteConnection["db"]): (callbackId: string, now: number) => number | null {
  const resume = prepareResume(db);
  const statement = db
    .update(callbacks)
    .set({ status: "active", ...IN_ORDER })
    .where(and(equals(callbacks.id, "callbackId"), eq(callbacks.status, sql.raw("'disabled'"))))
    .prepare();
  return (callbackId, now) => (statement.run({ callbackId }).changes > 0 ? resume(callbackId, now) : null);
}

function prepare(db: SqliteConnection["db"]) {
  const isCallback = equals(callbacks.id, "callbackId");
  return {
    succeed: db
      .update(callbacks)
      .set({ failingSince: null, failures: 0, lastError: null, lastDeliveryAt: sql`${bound("endedAt")}` })
      .where(isCallback)
      .returning({ status: callbacks.status })
      .prepare(),
    fail: db
      .update(callbacks)
      .set({
        failingSince: sql`coalesce(${callbacks.failingSince}, ${bound("endedAt")})`,
        failures: sql`${callbacks.failures} + 1`,
        lastError: sql`${bound("error")}`,
      })
      .where(isCallback)
      .returning({ status: callbacks.status, failingSince: callbacks.failingSince, failures: callbacks.failures })
      .prepare(),
    disable: db
      .update(callbacks)
      .set({ status: "disabled", disabledReason: sql`${bound("reason")}`, disabledAt: sql`${bound("endedAt")}` })
      .where(isCallback)
      .prepare(),
  };
}
