import { and, asc, eq, gt, lte, min, sql } from "../engine/drizzle.ts";
import { isSameLease, leaseHolds, leaseStatus } from "../../../domain/lease.ts";
import type { ClaimWorkerTask, ExpireLease, LeaseKey, LeaseStore } from "../../../service/ports/lease-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { toTask } from "../schema/rows.ts";
import { taskAwaitsWorker, taskIsLeased } from "../schema/conditions.ts";
import { tasks } from "../schema/tables.ts";
import { prepareLeaseRow } from "./grants.ts";

const bound = sql.placeholder;

export function workerLeaseVerbs({ db, write }: SqliteConnection): Omit<LeaseStore, "findCompletion"> {
  const claiming = prepareClaiming(db);
  const holding = prepareHolding(db);
  const expiring = prepareExpiring(db);
  const leasedTask = prepareLeaseRow(db);

  /** By the rule `leaseHolds`. */
  function holds({ id, leaseDigest }: LeaseKey, now: number): boolean {
    const task = leasedTask(id);
    return task !== undefined && leaseHolds(task, leaseDigest, now);
  }

  function expire({ id, leaseUntil, dueAt, hasFailed }: ExpireLease): boolean {
    const task = leasedTask(id);
    if (task === undefined || !isSameLease(task, leaseUntil)) return false;
    expiring.expire.run({ id, dueAt, failed: hasFailed ? 1 : 0 });
    return true;
  }

  /** The earliest due task of each type is read by index; of these the one that was due first. */
  function firstDue({ types, now }: Pick<ClaimWorkerTask, "types" | "now">) {
    const earliest = types.flatMap((taskType) => claiming.earliest.get({ taskType, now }) ?? []);
    return earliest.toSorted((left, right) => left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1))[0];
  }

  return {
    async claimWorkerTask({ types, ...command }) {
      // Most calls find nothing due. Those open no transaction.
      if (firstDue({ types, now: command.now }) === undefined) return null;
      return write(() => {
        const first = firstDue({ types, now: command.now });
        return first === undefined ? null : toTask(claiming.claim.get({ ...command, id: first.id }));
      });
    },
    async findLease({ id, leaseDigest }) {
      const row = holding.find.get({ id });
      return row === undefined ? null : { task: toTask(row), lease: leaseStatus(row, leaseDigest), dueAt: row.dueAt };
    },
    renewLease: ({ leaseUntil, now, ...lease }) =>
      write(() => holds(lease, now) && holding.renew.run({ id: lease.id, leaseUntil }).changes > 0),
    releaseLease: ({ dueAt, now, hasFailed, ...lease }) =>
      write(
        () => holds(lease, now) && holding.release.run({ id: lease.id, dueAt, failed: hasFailed ? 1 : 0 }).changes > 0,
      ),
    async expiredLeases(query) {
      return expiring.expired.all({ ...query }).map((row) => {
        // Every row in this index has one.
        return { task: toTask(row), worker: row.worker, leaseUntil: row.leaseUntil ?? 0 };
      });
    },
    expireLease: (command) => write(() => expire(command)),
    async prolongLeases(until) {
      await write(() => expiring.prolong.run({ until }));
    },
    async nextWorkerWorkAt(now) {
      const times = [expiring.nextExpiry.get({ now })?.at, expiring.nextDue.get({ now })?.at].filter(isTime);
      return times.length === 0 ? null : Math.min(...times);
    },
  };
}

function isTime(at: number | null | undefined): at is number {
  return typeof at === "number";
}

function prepareClaiming(db: SqliteConnection["db"]) {
  return {
    earliest: db
      .select({ id: tasks.id, dueAt: tasks.dueAt })
      .from(tasks)
      .where(and(taskAwaitsWorker, equals(tasks.taskType, "taskType"), lte(tasks.dueAt, bound("now"))))
      .orderBy(asc(tasks.dueAt))
      .limit(limitTo(1))
      .prepare(),
    claim: db
      .update(tasks)
      .set({
        status: "running",
        runCount: sql`${tasks.runCount} + 1`,
        startedAt: sql`${bound("now")}`,
        leaseDigest: sql`${bound("leaseDigest")}`,
        leaseUntil: sql`${bound("leaseUntil")}`,
        worker: sql`${bound("worker")}`,
      })
      .where(equals(tasks.id, "id"))
      .returning()
      .prepare(),
  };
}

function prepareHolding(db: SqliteConnection["db"]) {
  const isRunning = and(equals(tasks.id, "id"), eq(tasks.status, sql.raw("'running'")));
  return {
    find: db.select().from(tasks).where(equals(tasks.id, "id")).prepare(),
    renew: db
      .update(tasks)
      .set({ leaseUntil: sql`${bound("leaseUntil")}` })
      .where(isRunning)
      .prepare(),
    release: db
      .update(tasks)
      .set({
        status: "pending",
        dueAt: sql`${bound("dueAt")}`,
        failures: sql`${tasks.failures} + ${bound("failed")}`,
        leaseUntil: null,
      })
      .where(isRunning)
      .prepare(),
  };
}

function prepareExpiring(db: SqliteConnection["db"]) {
  return {
    expired: db
      .select()
      .from(tasks)
      .where(and(taskIsLeased, lte(tasks.leaseUntil, bound("now"))))
      .orderBy(asc(tasks.leaseUntil))
      .limit(limitTo("limit"))
      .prepare(),
    expire: db
      .update(tasks)
      .set({
        status: "pending",
        dueAt: sql`${bound("dueAt")}`,
        failures: sql`${tasks.failures} + ${bound("failed")}`,
        leaseDigest: null,
        leaseUntil: null,
        worker: null,
      })
      .where(and(equals(tasks.id, "id"), eq(tasks.status, sql.raw("'running'"))))
      .prepare(),
    prolong: db
      .update(tasks)
      .set({ leaseUntil: sql`${bound("until")}` })
      .where(and(taskIsLeased, sql`+${tasks.executor} = 'worker'`, sql`${tasks.leaseUntil} < ${bound("until")}`))
      .prepare(),
    nextExpiry: db
      .select({ at: min(tasks.leaseUntil) })
      .from(tasks)
      .where(and(taskIsLeased, gt(tasks.leaseUntil, bound("now"))))
      .prepare(),
    nextDue: db
      .select({ at: min(tasks.dueAt) })
      .from(tasks)
      .where(and(taskAwaitsWorker, gt(tasks.dueAt, bound("now"))))
      .prepare(),
  };
}
