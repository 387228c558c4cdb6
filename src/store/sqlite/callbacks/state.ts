/** A callback's row as the rules of domain/callback-state.ts take it, each read and write within the caller's transaction. */
import { and, sql } from "../engine/drizzle.ts";
import { enabled } from "../../../domain/callback-state.ts";
import type { CallbackState } from "../../../domain/callback-state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals } from "../engine/parameters.ts";
import { prepareResume } from "../deliveries/outbox.ts";
import { callbacks } from "../schema/tables.ts";

type Db = SqliteConnection["db"];

const bound = sql.placeholder;

export const healthColumns = {
  failingSince: callbacks.failingSince,
  failures: callbacks.failures,
  lastError: callbacks.lastError,
  disabledReason: callbacks.disabledReason,
  disabledAt: callbacks.disabledAt,
};

export function prepareCallbackStates(db: Db) {
  const find = db
    .select({ ...healthColumns, status: callbacks.status, lastDeliveryAt: callbacks.lastDeliveryAt })
    .from(callbacks)
    .where(equals(callbacks.id, "callbackId"))
    .prepare();
  const updates = prepareUpdates(db);
  return {
    read(callbackId: string): CallbackState {
      const row = find.get({ callbackId });
      if (row === undefined) throw new Error(`Callback ${callbackId} is gone.`);
      return row;
    },
    /** Writes `to` if the row still has the status of `from`. */
    write(callbackId: string, from: CallbackState, to: CallbackState): void {
      if (to === from) return;
      const { status, failingSince, failures, lastError, lastDeliveryAt, disabledReason, disabledAt } = to;
      const health = { callbackId, fromStatus: from.status, failingSince, failures, lastError, lastDeliveryAt };
      // The conditions of five indexes use the status; without it in the statement SQLite does not touch them.
      const isOnlyHealth =
        status === from.status && disabledReason === from.disabledReason && disabledAt === from.disabledAt;
      if (isOnlyHealth) updates.health.run(health);
      else updates.status.run({ ...health, status, disabledReason, disabledAt });
    },
  };
}

/** Enables a disabled callback and resumes its deliveries, by the rule `enabled`. Returns how many were held; null: it was not disabled. */
export function prepareEnable(db: Db): (callbackId: string, from: CallbackState, now: number) => number | null {
  const states = prepareCallbackStates(db);
  const resume = prepareResume(db);
  return (callbackId, from, now) => {
    const to = enabled(from);
    if (to === from) return null;
    states.write(callbackId, from, to);
    return resume(callbackId, now);
  };
}

function prepareUpdates(db: Db) {
  const isUnchanged = and(equals(callbacks.id, "callbackId"), equals(callbacks.status, "fromStatus"));
  const health = {
    failingSince: sql`${bound("failingSince")}`,
    failures: sql`${bound("failures")}`,
    lastError: sql`${bound("lastError")}`,
    lastDeliveryAt: sql`${bound("lastDeliveryAt")}`,
  };
  const status = {
    status: sql`${bound("status")}`,
    disabledReason: sql`${bound("disabledReason")}`,
    disabledAt: sql`${bound("disabledAt")}`,
  };
  return {
    health: db.update(callbacks).set(health).where(isUnchanged).prepare(),
    status: db
      .update(callbacks)
      .set({ ...health, ...status })
      .where(isUnchanged)
      .prepare(),
  };
}
