/** A delivery's row as the rules of domain/delivery-state.ts take it, each read and write within the caller's transaction. */
import { and, eq, inArray, sql } from "../engine/drizzle.ts";
import type { InferSelectModel } from "drizzle-orm";
import { reopened, superseded } from "../../../domain/delivery-state.ts";
import type { DeliveryState } from "../../../domain/delivery-state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { deadlineOfCallback } from "./outbox.ts";
import { equals } from "../engine/parameters.ts";
import { deliveryIsOpen } from "../schema/conditions.ts";
import { callbacks, deliveries, events } from "../schema/tables.ts";

type Db = SqliteConnection["db"];

const bound = sql.placeholder;

export const stateColumns = {
  status: deliveries.status,
  claim: deliveries.claim,
  attemptCount: deliveries.attemptCount,
  attemptsBefore: deliveries.attemptsBefore,
  nextAttemptAt: deliveries.nextAttemptAt,
  sendAgain: deliveries.sendAgain,
  notAfter: deliveries.notAfter,
  reason: deliveries.reason,
  settledAt: deliveries.settledAt,
};

type CallbackOfDelivery = Pick<InferSelectModel<typeof callbacks>, "status" | "notAfter">;

export function prepareDeliveryStates(db: Db) {
  const find = db
    .select({
      delivery: { eventId: deliveries.eventId, callbackId: deliveries.callbackId },
      state: stateColumns,
      callback: { status: callbacks.status, notAfter: deadlineOfCallback },
    })
    .from(deliveries)
    .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
    .where(equals(deliveries.id, "deliveryId"))
    .prepare();
  const update = prepareUpdate(db);

  /** The state, and the parts of the callback that the rules need. Undefined: there is no such delivery. */
  function read(deliveryId: string) {
    return find.get({ deliveryId });
  }

  /** Writes `to` if the row still has the status and the claim of `from`. */
  function write(deliveryId: string, from: DeliveryState, to: DeliveryState): void {
    if (to === from) return;
    const key = { deliveryId, fromStatus: from.status, fromClaim: from.claim };
    update.run({ ...to, ...key, sendAgain: to.sendAgain ? 1 : 0 });
  }

  /** Writes the state that the rule gives; a delivery that is gone is left out. */
  function change(
    deliveryId: string,
    rule: (state: DeliveryState, callback: CallbackOfDelivery) => DeliveryState,
  ): void {
    const row = read(deliveryId);
    if (row !== undefined) write(deliveryId, row.state, rule(row.state, row.callback));
  }

  function reopen(deliveryId: string, now: number): void {
    change(deliveryId, (state, callback) => reopened(state, callback.notAfter, now));
  }

  return { read, write, change, reopen };
}

/** Ends the open deliveries of a task's progress, by the rule `superseded`. */
export function prepareSupersede(db: Db): (task: string, now: number) => void {
  const states = prepareDeliveryStates(db);
  const ofProgress = db
    .select({ id: events.id })
    .from(events)
    .where(and(equals(events.task, "task"), eq(events.type, sql.raw("'task_progress'"))));
  const open = db
    .select({ id: deliveries.id, state: stateColumns })
    .from(deliveries)
    .where(and(deliveryIsOpen, inArray(deliveries.eventId, ofProgress)))
    .prepare();
  return (task, now) => {
    for (const { id, state } of open.all({ task })) states.write(id, state, superseded(state, now));
  };
}

function prepareUpdate(db: Db) {
  return db
    .update(deliveries)
    .set({
      status: sql`${bound("status")}`,
      attemptCount: sql`${bound("attemptCount")}`,
      attemptsBefore: sql`${bound("attemptsBefore")}`,
      nextAttemptAt: sql`${bound("nextAttemptAt")}`,
      sendAgain: sql`${bound("sendAgain")}`,
      notAfter: sql`${bound("notAfter")}`,
      reason: sql`${bound("reason")}`,
      settledAt: sql`${bound("settledAt")}`,
    })
    .where(
      and(
        equals(deliveries.id, "deliveryId"),
        equals(deliveries.status, "fromStatus"),
        equals(deliveries.claim, "fromClaim"),
      ),
    )
    .prepare();
}
