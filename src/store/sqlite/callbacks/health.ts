import { sql } from "../engine/drizzle.ts";
import { healthAfter } from "../../../domain/callback-state.ts";
import type { AttemptResult, HealthAfter } from "../../../domain/callback-state.ts";
import type { DisablePolicy } from "../../../domain/callback-health.ts";
import type { CallbackChange } from "../../../service/ports/delivery-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareHold, prepareResume, prepareWithdraw } from "../deliveries/outbox.ts";
import { callbacks, deliveries } from "../schema/tables.ts";
import { prepareCallbackStates } from "./state.ts";

/** An attempt whose claim was current and whose step is taken. */
export interface AttemptOfCallback extends AttemptResult {
  readonly callbackId: string;
  /** As `callbackIsInOrder` says. */
  readonly isInOrder: boolean;
  readonly policy: DisablePolicy | null;
}
export interface NotedHealth {
  readonly isDisabled: boolean;
  /** Null: its status is as before. */
  readonly change: CallbackChange | null;
}

const UNCHANGED: NotedHealth = { isDisabled: false, change: null };

/**
 * 1: the callback of a delivery has no failure, and is no subscription, whose row has the time of the last success. By the rule
 * `healthAfter` a success changes nothing of such a row, so it is neither read nor written. Nearly all deliveries are to such callbacks.
 */
export const callbackIsInOrder = sql<number>`exists (select 1 from ${callbacks} where ${callbacks.id} = ${deliveries.callbackId}
  and ${callbacks.subscriptionId} is null and ${callbacks.failingSince} is null)`;

/** Writes how a callback does after an attempt, by the rule `healthAfter`, within the caller's transaction. */
export function prepareHealth(db: SqliteConnection["db"]): (attempt: AttemptOfCallback) => NotedHealth {
  const states = prepareCallbackStates(db);
  const hold = prepareHold(db);
  const withdraw = prepareWithdraw(db);
  const resume = prepareResume(db);

  /** Returns how many deliveries changed. */
  function changeDeliveries(callbackId: string, effect: HealthAfter["deliveries"], endedAt: number): number {
    if (effect === "hold") return hold(callbackId);
    if (effect === "withdraw") return withdraw(callbackId, endedAt, null);
    return effect === "resume" ? resume(callbackId, endedAt) : 0;
  }

  return ({ callbackId, isInOrder, policy, ...attempt }) => {
    if (attempt.error === null && isInOrder) return UNCHANGED;
    const from = states.read(callbackId);
    const after = healthAfter(from, attempt, policy);
    states.write(callbackId, from, after.state);
    const count = changeDeliveries(callbackId, after.deliveries, attempt.endedAt);
    return { isDisabled: after.state.status === "disabled", change: changeOf(after, count, attempt.endedAt) };
  };
}

function changeOf(
  { became, state, deliveries: effect }: HealthAfter,
  count: number,
  endedAt: number,
): CallbackChange | null {
  if (became === null) return null;
  if (became === "active") return { status: "active", resumedCount: count };
  const { failingSince, disabledReason } = state;
  const heldCount = effect === "hold" ? count : 0;
  return { status: "disabled", reason: disabledReason ?? "gone", failingSince: failingSince ?? endedAt, heldCount };
}
