import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openConnection } from "../../src/store/sqlite/engine/connection.ts";
import type { SqliteConnection } from "../../src/store/sqlite/engine/connection.ts";
import { aStart } from "../support/builders.ts";
import { migrationsFolder, newFile, openTestStore } from "../support/sqlite-store.ts";

async function connect(): Promise<SqliteConnection> {
  const connection = openConnection(await newFile(), join(migrationsFolder, "sqlite"));
  onTestFinished(() => connection.close());
  return connection;
}

function countTasks({ db, read }: SqliteConnection): unknown {
  return read(() => db.$client.prepare("select count(*) from tasks").pluck().get());
}

test("the reads of one turn share a transaction, which ends with the turn", async () => {
  const connection = await connect();
  const { $client: client } = connection.db;
  countTasks(connection);
  countTasks(connection);
  expect(client.inTransaction).toBe(true);
  await nextTurn();
  expect(client.inTransaction).toBe(false);
});

test("a write that comes after a read of its turn is a transaction of its own, committed when it says so", async () => {
  const connection = await connect();
  const { $client: client } = connection.db;
  const open: boolean[] = [];
  const written = connection.write(
    () => {},
    "fact",
    () => open.push(client.inTransaction),
  );
  countTasks(connection);
  open.push(client.inTransaction);
  await written;
  expect(open).toEqual([true, false]);
});

test("what was written is seen by the next read", async () => {
  const store = await openTestStore();
  onTestFinished(() => store.close());
  const before = store.readTask("local", "task-1");
  const started = store.startTask(aStart({ taskId: "task-1" }));
  expect(await before).toBeNull();
  await started;
  expect(await store.readTask("local", "task-1")).toMatchObject({ status: "pending" });
});

test("a read under way keeps the log from being emptied no more than a read before", async () => {
  const connection = await connect();
  countTasks(connection);
  connection.emptyLog();
  expect(connection.db.$client.inTransaction).toBe(false);
  expect(countTasks(connection)).toBe(0);
});

test("a transaction that a failed read has ended is not ended again", async () => {
  const connection = await connect();
  connection.read(() => connection.db.$client.exec("rollback"));
  await nextTurn();
  expect(countTasks(connection)).toBe(0);
});

test("what is read at the end does not keep the file from being closed", async () => {
  const connection = openConnection(await newFile(), join(migrationsFolder, "sqlite"));
  countTasks(connection);
  await connection.close();
  await nextTurn();
  expect(connection.db.$client.open).toBe(false);
});
