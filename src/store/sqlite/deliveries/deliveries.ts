import { and, eq, lte, sql } from "../engine/drizzle.ts";
import { claimIsCurrent, released } from "../../../domain/delivery-state.ts";
import { recoveredCrashes } from "../../../domain/task-run.ts";
import type {
  DeliveryClaim,
  DeliveryStore,
  RecordAttempt,
  RecordAttemptResult,
} from "../../../service/ports/delivery-store.ts";
import type { MaintenanceStore } from "../../../service/ports/maintenance-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareRecording } from "./attempts.ts";
import { prepareClaiming } from "./claiming.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareDeliveryStates } from "./state.ts";
import { deliveryIsOpen, deliveryIsPending, deliveryIsSending, taskIsOpen } from "../schema/conditions.ts";
import { deliveries, tasks } from "../schema/tables.ts";
import { equals, limitTo } from "../engine/parameters.ts";

type DeliveryVerbs = Pick<DeliveryStore, "claimDueDeliveries" | "continueClaim" | "recordAttempt" | "releaseClaim"> &
  Pick<MaintenanceStore, "recoverInterrupted">;

type Db = SqliteConnection["db"];

const bound = sql.placeholder;

export function deliveryVerbs({ db, write }: SqliteConnection, cipher: SecretCipher): DeliveryVerbs {
  const prepared = {
    anyDue: prepareAnyDue(db),
    claimDue: prepareClaiming(db, cipher),
    continueClaim: prepareResumeClaim(db),
    release: prepareRelease(db),
    recovery: prepareRecovery(db),
    record: prepareRecording(db),
  };

  return {
    async claimDueDeliveries(command) {
      // Most calls find nothing due. Those read one small index and open no transaction.
      if (prepared.anyDue.get({ now: command.now }) === undefined) return [];
      // A power cut may undo the claim, as `recoverInterrupted` would: the sending need not wait for the disk.
      return write(() => prepared.claimDue(command), "claim");
    },
    async continueClaim(claim: DeliveryClaim) {
      return write(() => prepared.continueClaim.run({ ...claim }).changes > 0, "claim");
    },
    recordAttempt(command: RecordAttempt): Promise<RecordAttemptResult> {
      return write(() => prepared.record(command), "record");
    },
    async releaseClaim(claim, nextAttemptAt) {
      await write(() => prepared.release(claim, nextAttemptAt));
    },
    async recoverInterrupted(now) {
      return write(() => prepared.recovery(now));
    },
  };
}

function prepareAnyDue(db: Db) {
  return db
    .select({ one: sql<number>`1` })
    .from(deliveries)
    .where(and(deliveryIsPending, lte(deliveries.nextAttemptAt, bound("now"))))
    .limit(limitTo(1))
    .prepare();
}

function prepareResumeClaim(db: Db) {
  return db
    .update(deliveries)
    .set({ nextAttemptAt: null })
    .where(
      and(
        equals(deliveries.id, "deliveryId"),
        eq(deliveries.status, sql.raw("'sending'")),
        equals(deliveries.claim, "claim"),
      ),
    )
    .prepare();
}

function prepareRelease(db: Db): (claim: DeliveryClaim, dueAt: number) => void {
  const states = prepareDeliveryStates(db);
  return ({ deliveryId, claim }, dueAt) => {
    states.change(deliveryId, (state, callback) =>
      claimIsCurrent(state, claim) ? released(state, callback.status, dueAt) : state,
    );
  };
}

/** Releases each claim of a process that died, and counts a crash for each task that it ran. */
function prepareRecovery(db: Db): (now: number) => { readonly tasks: number; readonly deliveries: number } {
  const states = prepareDeliveryStates(db);
  // By the index of open deliveries: one for this statement alone, which runs at a start, would cost each delivery two more writes.
  const claimed = db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(deliveryIsOpen, deliveryIsSending))
    .prepare();
  const running = db
    .select({ id: tasks.id, crashes: tasks.crashes })
    .from(tasks)
    .where(and(taskIsOpen, eq(tasks.status, sql.raw("'running'")), eq(tasks.executor, sql.raw("'handler'"))))
    .prepare();
  const toPending = db
    .update(tasks)
    .set({ status: "pending", crashes: sql`${bound("crashes")}` })
    .where(and(equals(tasks.id, "id"), eq(tasks.status, sql.raw("'running'"))))
    .prepare();
  return (now) => {
    const interrupted = claimed.all();
    for (const { id } of interrupted)
      states.change(id, (state, callback) => released(state, callback.status, state.nextAttemptAt ?? now));
    const cutOff = running.all();
    for (const { id, crashes } of cutOff) toPending.run({ id, crashes: recoveredCrashes(crashes) });
    return { tasks: cutOff.length, deliveries: interrupted.length };
  };
}
