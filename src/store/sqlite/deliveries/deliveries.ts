import { and, eq, lte, sql } from "../engine/drizzle.ts";
import { CRASHES_MAX } from "../../../domain/task.ts";
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
import { columnsGivenBack } from "./outbox.ts";
import { deliveryIsOpen, deliveryIsPending, deliveryIsSending, taskIsOpen } from "../schema/conditions.ts";
import { deliveries, tasks } from "../schema/tables.ts";
import { equals, limitTo } from "../engine/parameters.ts";

type DeliveryVerbs = Pick<DeliveryStore, "claimDueDeliveries" | "resumeClaim" | "recordAttempt" | "releaseClaim"> &
  Pick<MaintenanceStore, "recoverOrphans">;

const bound = sql.placeholder;

export function deliveryVerbs({ db, write }: SqliteConnection, cipher: SecretCipher): DeliveryVerbs {
  const prepared = {
    anyDue: prepareAnyDue(db),
    claimDue: prepareClaiming(db, cipher),
    holding: prepareHolding(db),
    reclaiming: prepareReclaiming(db),
    record: prepareRecording(db),
  };

  return {
    async claimDueDeliveries(command) {
      // A claim that a power cut takes back is what `recoverOrphans` would have taken back: no need to wait for the disk before sending.
      // Asked after each attempt, and in vain where there is little to do: then a look at a small index, and no transaction.
      if (prepared.anyDue.get({ now: command.now }) === undefined) return [];
      return write(() => prepared.claimDue(command), "claim");
    },
    async resumeClaim(claim: DeliveryClaim) {
      return write(() => prepared.holding.resume.run({ ...claim }).changes > 0, "claim");
    },
    recordAttempt(command: RecordAttempt): Promise<RecordAttemptResult> {
      return write(() => prepared.record(command), "record");
    },
    async releaseClaim(claim, nextAttemptAt) {
      await write(() => prepared.holding.release.run({ ...claim, nextAttemptAt }));
    },
    async recoverOrphans(now) {
      return write(() => ({
        tasks: prepared.reclaiming.tasks.run().changes,
        deliveries: prepared.reclaiming.deliveries.run({ now }).changes,
      }));
    },
  };
}

function prepareAnyDue(db: SqliteConnection["db"]) {
  return db
    .select({ one: sql<number>`1` })
    .from(deliveries)
    .where(and(deliveryIsPending, lte(deliveries.nextAttemptAt, bound("now"))))
    .limit(limitTo(1))
    .prepare();
}

function prepareHolding(db: SqliteConnection["db"]) {
  const claimHolds = and(
    equals(deliveries.id, "deliveryId"),
    eq(deliveries.status, sql.raw("'sending'")),
    equals(deliveries.claim, "claim"),
  );
  return {
    resume: db.update(deliveries).set({ nextAttemptAt: null }).where(claimHolds).prepare(),
    release: db
      .update(deliveries)
      .set(columnsGivenBack(sql`${bound("nextAttemptAt")}`))
      .where(claimHolds)
      .prepare(),
  };
}

function prepareReclaiming(db: SqliteConnection["db"]) {
  // Not beyond: from then on a task that is claimed is only given up, and did not run when the process died.
  const counted = sql`min(${tasks.crashes} + 1, ${sql.raw(String(CRASHES_MAX))})`;
  return {
    tasks: db
      .update(tasks)
      .set({ status: "pending", crashes: counted })
      .where(and(taskIsOpen, eq(tasks.status, sql.raw("'running'")), eq(tasks.executor, sql.raw("'handler'"))))
      .prepare(),
    deliveries: db
      .update(deliveries)
      .set(columnsGivenBack(sql`coalesce(${deliveries.nextAttemptAt}, ${bound("now")})`))
      // Looked for among what is open: an index for a question of the start would cost each delivery two more writes.
      .where(and(deliveryIsOpen, deliveryIsSending))
      .prepare(),
  };
}
