import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { createGroupCommit } from "../../src/store/sqlite/engine/group-commit.ts";
import type { Sync, Durability } from "../../src/store/sqlite/engine/group-commit.ts";
import { aRegistration, temporaryFolder } from "../support/builders.ts";
import { openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

/** `busyTimeoutMs`: so long that no test reaches it by itself. */
function setUp(sync: Sync = () => Promise.resolve(), busyTimeoutMs = 600_000) {
  const db = new Database(join(temporaryFolder(), "group.db"), { timeout: 10 });
  onTestFinished(() => void db.close());
  db.pragma("journal_mode = WAL");
  db.exec("create table numbers (n integer primary key)");
  const transaction = db.transaction((work: () => void) => work());
  let transactions = 0;
  const inTransaction = (work: () => void): void => {
    transactions++;
    transaction.immediate(work);
  };
  const totalChanges = db.prepare<[], number>("select total_changes()").pluck();
  const changedRows = (): number => totalChanges.get() ?? 0;
  const group = createGroupCommit({ inTransaction, changedRows, sync, busyTimeoutMs });
  const insert = (n: number, durability?: Durability) =>
    group.write(() => db.prepare("insert into numbers values (?)").run(n).changes, durability);
  const numbers = () => db.prepare("select n from numbers order by n").pluck().all();
  return { db, group, insert, numbers, transactions: () => transactions };
}

test("all writes of one turn share one commit, in the order of their calls", async () => {
  const { group, insert, numbers, transactions } = setUp();
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((n) => insert(n).then(() => order.push(n))));
  expect([numbers(), order, transactions()]).toEqual([[1, 2, 3], [1, 2, 3], 1]);
  expect(await group.write(() => "the result of the work")).toBe("the result of the work");
});

/** One write with so many rows. */
function insertMany({ db, group }: ReturnType<typeof setUp>, rows: number, share?: string): Promise<number> {
  const insert = db.prepare(
    "insert into numbers select n from (with recursive c(n) as (select :first union all select n + 1 from c where n < :last) select n from c)",
  );
  return group.write(
    () => {
      const last = db.prepare<[], number>("select coalesce(max(n), 0) from numbers").pluck().get()!;
      return insert.run({ first: last + 1, last: last + rows }).changes;
    },
    "durable",
    share,
  );
}

test("a commit takes no further write after 500 rows: the rest follows in the next turns, and other work comes between", async () => {
  const set = setUp();
  const seen: number[] = [];
  let isWatching = true;
  const watch = (): void => {
    if (!isWatching) return;
    seen.push(db.prepare<[], number>("select count(*) from numbers").pluck().get()!);
    setImmediate(watch);
  };
  const { db, transactions } = set;
  setImmediate(watch);
  await Promise.all(Array.from({ length: 1000 }, () => insertMany(set, 200)));
  isWatching = false;
  expect(transactions()).toBe(Math.ceil(1000 / 3));
  const steps = seen.map((rows, index) => rows - (seen[index - 1] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(600);
});

test("rows are shared out by principal: one that changes many does not hold up the writes of others", async () => {
  const set = setUp();
  const bob = Array.from({ length: 100 }, () => insertMany(set, 200, "bob"));
  const ended: string[] = [];
  void Promise.all(bob).then(() => ended.push("bob"));
  const alice = Array.from({ length: 3 }, () => insertMany(set, 200, "alice"));
  const plain = Array.from({ length: 300 }, () => insertMany(set, 1));
  await Promise.all([...alice, ...plain]);
  expect(ended).toEqual([]);
  expect(set.transactions()).toBeLessThan(10);
  await Promise.all(bob);
});

test("flush commits everything that waits, however many rows it has", async () => {
  const set = setUp();
  const written = Array.from({ length: 10 }, () => insertMany(set, 200));
  set.group.flush();
  expect(set.numbers()).toHaveLength(2000);
  await Promise.all(written);
});

test("no write is answered before its commit", async () => {
  const { insert, numbers } = setUp();
  const answered = insert(1).then(() => numbers());
  expect(numbers()).toEqual([]);
  expect(await answered).toEqual([1]);
});

/** A disk that completes a sync when the test says so. */
function aSlowDisk() {
  const syncs: (() => void)[] = [];
  const sync: Sync = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    syncs.push(resolve);
    return promise;
  };
  return { sync, syncs };
}

test("a durable write and a record are answered once they are on disk, and the disk stops no other commit", async () => {
  const disk = aSlowDisk();
  const { insert, numbers } = setUp(disk.sync);
  const answered: number[] = [];
  const answer = (n: number, durability: Durability) => insert(n, durability).then(() => answered.push(n));
  const first = [answer(1, "durable"), answer(2, "record")];
  await until("the first sync", () => disk.syncs.length === 1);
  const later = [answer(3, "durable"), answer(4, "record")];
  await until("the second commit", () => numbers().length === 4);
  expect([answered, disk.syncs.length]).toEqual([[], 1]);
  disk.syncs[0]?.();
  await Promise.all(first);
  await until("the second sync", () => disk.syncs.length === 2);
  expect(answered).toEqual([1, 2]);
  disk.syncs[1]?.();
  await Promise.all(later);
  expect(answered).toEqual([1, 2, 3, 4]);
});

test("a claim waits for the disk only as long as a durable write does, since it may depend on it", async () => {
  const disk = aSlowDisk();
  const { insert } = setUp(disk.sync);
  const record = insert(1, "record");
  await insert(2, "claim");
  expect(disk.syncs).toHaveLength(1);
  const durable = insert(3, "durable");
  let isClaimed = false;
  const claim = insert(4, "claim").then(() => (isClaimed = true));
  disk.syncs[0]?.();
  await record;
  await until("the second sync", () => disk.syncs.length === 2);
  expect(isClaimed).toBe(false);
  disk.syncs[1]?.();
  await Promise.all([claim, durable]);
});

test("a claim of what is being put on disk waits for that wait, and is answered after it", async () => {
  const disk = aSlowDisk();
  const { group } = setUp(disk.sync);
  const answered: string[] = [];
  const durable = group.write(() => null, "durable").then(() => answered.push("durable"));
  await until("the sync", () => disk.syncs.length === 1);
  const hasRun = Promise.withResolvers<void>();
  // It resumes after the commit, which follows the work in the same turn.
  const claim = group.write(hasRun.resolve, "claim").then(() => answered.push("claim"));
  await hasRun.promise;
  expect(answered).toEqual([]);
  disk.syncs[0]?.();
  await Promise.all([durable, claim]);
  expect([answered, disk.syncs.length]).toEqual([["durable", "claim"], 1]);
});

test("a write that fails does not fail the other writes of its turn", async () => {
  const { insert, numbers } = setUp();
  const results = await Promise.allSettled([insert(1), insert(1), insert(2)]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(numbers()).toEqual([1, 2]);
});

test("a write waits for a file that another program has locked, without blocking the process", async () => {
  const { db, insert, numbers, transactions } = setUp();
  const other = new Database(db.name);
  onTestFinished(() => void other.close());
  other.exec("begin immediate");
  const written = Promise.all([insert(1), insert(2)]);
  const seen = new Set<number>();
  await until("this test runs between the tries", () => seen.add(transactions()).size >= 4);
  expect(numbers()).toEqual([]);
  other.exec("commit");
  await Promise.all([written, insert(3)]);
  expect(numbers()).toEqual([1, 2, 3]);
});

test("when another program never releases the file, all waiting writes fail at once, and a later write waits again", async () => {
  const { db, insert, numbers, transactions } = setUp(undefined, 50);
  const other = new Database(db.name);
  onTestFinished(() => void other.close());
  other.exec("begin immediate");
  const triesAtFailures = new Set<number>();
  const failing = Array.from({ length: 300 }, (_, n) => insert(n).finally(() => triesAtFailures.add(transactions())));
  const results = await Promise.allSettled(failing);
  expect(results.every((result) => result.status === "rejected" && result.reason instanceof StoreUnavailable)).toBe(
    true,
  );
  expect([...triesAtFailures]).toEqual([transactions()]);
  const later = insert(1000);
  // In this turn it is tried once. The next try comes after the other program has released the file, however late that is.
  await new Promise(setImmediate);
  expect([...triesAtFailures]).toEqual([transactions() - 1]);
  other.exec("commit");
  await later;
  expect(numbers()).toEqual([1000]);
});

test("waiting writes are committed before the store is closed", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const store = await openTestStore(file);
  const registered = store.registerCallback(aRegistration());
  await store.close();
  expect(await registered).toMatchObject({ kind: "registered" });
  const again = await openTestStore(file);
  expect(await again.deliveryHistory("local", "task-1")).toHaveLength(1);
  await again.close();
});
