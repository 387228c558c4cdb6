import { and, asc, eq, gt, lte, min, sql } from "../engine/drizzle.ts";
import type { ClaimWorkerTask, LeaseState, LeaseStore } from "../../../service/ports/lease-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { toTask } from "../schema/rows.ts";
import { taskAwaitsWorker, taskIsLeased } from "../schema/conditions.ts";
import { tasks } from "../schema/tables.ts";

type TaskRow = typeof tasks.$inferSelect;

const bound = sql.placeholder;

export function workerLeaseVerbs({ db, write }: SqliteConnection): Omit<LeaseStore, "findCompletion"> {
  const claiming = prepareClaiming(db);
  const holding = prepareHolding(db);
  const lapsing = prepareLapsing(db);

  /** Each type has its own line; of their heads the one that waits for the longest time. */
  function longestDue({ types, now }: Pick<ClaimWorkerTask, "types" | "now">) {
    const heads = types.flatMap((taskType) => claiming.head.get({ taskType, now }) ?? []);
    return heads.toSorted((left, right) => left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1))[0];
  }

  return {
    async claimWorkerTask({ types, ...command }) {
      // Most looks of a waiting worker find nothing, and those need no transaction.
      if (longestDue({ types, now: command.now }) === undefined) return null;
      return write(() => {
        const head = longestDue({ types, now: command.now });
        return head === undefined ? null : toTask(claiming.claim.get({ ...command, id: head.id }));
      });
    },
    async findLease({ id, leaseDigest }) {
      const row = holding.find.get({ id });
      return row === undefined ? null : { task: toTask(row), lease: standingOf(row, leaseDigest), dueAt: row.dueAt };
    },
    renewLease: (command) => write(() => holding.renew.run({ ...command }).changes > 0),
    releaseLease: (command) => write(() => holding.giveBack.run({ ...command }).changes > 0),
    async lapsedLeases(query) {
      return lapsing.lapsed.all({ ...query }).map((row) => {
        // The index holds no row without it.
        return { task: toTask(row), worker: row.worker, leaseUntil: row.leaseUntil ?? 0 };
      });
    },
    expireLease: (command) => write(() => lapsing.takeBack.run({ ...command }).changes > 0),
    async prolongLeases(until) {
      await write(() => lapsing.prolong.run({ until }));
    },
    async nextWorkerWorkAt(now) {
      const times = [lapsing.nextLapse.get({ now })?.at, lapsing.nextDue.get({ now })?.at].filter(isTime);
      return times.length === 0 ? null : Math.min(...times);
    },
  };
}

function standingOf({ status, leaseDigest }: TaskRow, given: string): LeaseState["lease"] {
  if (leaseDigest !== given) return "lost";
  return status === "pending" ? "given_back" : "held";
}

function isTime(at: number | null | undefined): at is number {
  return typeof at === "number";
}

function prepareClaiming(db: SqliteConnection["db"]) {
  return {
    head: db
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
  const leaseHolds = and(
    equals(tasks.id, "id"),
    eq(tasks.status, sql.raw("'running'")),
    equals(tasks.leaseDigest, "leaseDigest"),
    gt(tasks.leaseUntil, bound("now")),
  );
  return {
    find: db.select().from(tasks).where(equals(tasks.id, "id")).prepare(),
    renew: db
      .update(tasks)
      .set({ leaseUntil: sql`${bound("leaseUntil")}` })
      .where(leaseHolds)
      .prepare(),
    giveBack: db
      .update(tasks)
      .set({ status: "pending", dueAt: sql`${bound("dueAt")}`, leaseUntil: null })
      .where(leaseHolds)
      .prepare(),
  };
}

function prepareLapsing(db: SqliteConnection["db"]) {
  return {
    lapsed: db
      .select()
      .from(tasks)
      .where(and(taskIsLeased, lte(tasks.leaseUntil, bound("now"))))
      .orderBy(asc(tasks.leaseUntil))
      .limit(limitTo("limit"))
      .prepare(),
    takeBack: db
      .update(tasks)
      .set({
        status: "pending",
        dueAt: sql`${bound("dueAt")}`,
        leaseDigest: null,
        leaseUntil: null,
        worker: null,
      })
      .where(
        and(equals(tasks.id, "id"), eq(tasks.status, sql.raw("'running'")), equals(tasks.leaseUntil, "leaseUntil")),
      )
      .prepare(),
    prolong: db
      .update(tasks)
      .set({ leaseUntil: sql`${bound("until")}` })
      .where(and(taskIsLeased, sql`+${tasks.executor} = 'worker'`, sql`${tasks.leaseUntil} < ${bound("until")}`))
      .prepare(),
    nextLapse: db
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
