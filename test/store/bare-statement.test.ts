import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bareStatement, named } from "../../src/store/sqlite/bare-statement.ts";
import { openConnection } from "../../src/store/sqlite/connection.ts";
import { and, getTableColumns, sql } from "../../src/store/sqlite/drizzle.ts";
import { isGiven } from "../../src/store/sqlite/parameters.ts";
import { tasks } from "../../src/store/sqlite/schema.ts";
import { aStart } from "../support/builders.ts";
import { migrationsFolder, newFile, openTestStore } from "../support/sqlite-store.ts";

async function someTask() {
  const file = await newFile();
  const store = await openTestStore(file);
  await store.startTask(aStart({ taskId: "task-1" }));
  await store.close();
  const connection = openConnection(file, join(migrationsFolder, "sqlite"));
  onTestFinished(() => connection.close());
  const { db } = connection;
  const where = and(isGiven(tasks.principal, "principal"), isGiven(tasks.taskId, "taskId"));
  return { db, where, given: { principal: "local", taskId: "task-1" } };
}

test("a bare statement reads what Drizzle's own reads", async () => {
  const { db, where, given } = await someTask();
  const bare = bareStatement(
    db,
    db
      .select(named(getTableColumns(tasks)))
      .from(tasks)
      .where(where),
  );
  const own = db.select().from(tasks).where(where).prepare();
  expect(own.get(given)).toMatchObject({ taskId: "task-1" });
  expect(bare.get(given)).toEqual(own.get(given));
  expect(bare.get({ ...given, principal: "ann" })).toBeUndefined();
});

test("a bare statement writes what is given, and what stands in it", async () => {
  const { db, where, given } = await someTask();
  const set = { error: sql`${sql.placeholder("error")}`, status: "failed" } as const;
  bareStatement(db, db.update(tasks).set(set).where(where)).run({ ...given, error: "no luck" });
  expect(db.select().from(tasks).get()).toMatchObject({ status: "failed", error: "no luck" });
});

test("a parameter that is not given is no null", async () => {
  const { db, where } = await someTask();
  const bare = bareStatement(db, db.select().from(tasks).where(where));
  expect(() => bare.get({ principal: "local" })).toThrow("taskId");
});
