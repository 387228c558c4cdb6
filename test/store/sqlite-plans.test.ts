import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { openTestStore, openWholeStore } from "../support/sqlite-store.ts";

/** Statements whose scan is of something that stays small, and why. */
const SMALL_SCANS: readonly RegExp[] = [
  /USING (COVERING )?INDEX (tasks_open|callbacks_awaiting|deliveries_due|deliveries_expiring|deliveries_open)/, // holds open rows only
  /USING COVERING INDEX callbacks_disabled/, // holds disabled callbacks only
  /SCAN json_each/, // the origins that are full: at most the requests in flight
  /SCAN pending_callbacks/, // the union of two partial indexes
  /SCAN (inbox|\(subquery-\d+\))/, // the inbox: bounded to 2,000 rows
  /SCAN sqlite_sequence/, // a row for each table that counts
  /SCAN secret_keys/, // a row for each key in use, read at the start
];

test("no statement of the store walks through history", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  await (await openTestStore(file)).close();
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  const store = await openWholeStore(file);
  const statements = prepare.mock.calls
    .map(([sql]) => sql)
    .filter((sql) => /^(select|update|delete|insert)/i.test(sql));
  prepare.mockRestore();
  await store.close();

  const db = new Database(file);
  onTestFinished(() => void db.close());
  expect(statements.length).toBeGreaterThan(25);
  const scans = statements
    .filter((sql) => !/sqlite_master|__drizzle/.test(sql))
    .flatMap((sql) => {
      const nulls = Array.from({ length: sql.split("?").length - 1 }, () => null);
      const plan = db.prepare<unknown[], { detail: string }>(`explain query plan ${sql}`).all(...nulls);
      return plan
        .map(({ detail }) => detail)
        .filter((detail) => detail.startsWith("SCAN") && !SMALL_SCANS.some((small) => small.test(detail)))
        .map((detail) => `${detail}: ${sql}`);
    });
  expect(scans).toEqual([]);
});

test("each partial index is used by the query it is for", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  const store = await openWholeStore(file);
  const statements = prepare.mock.calls.map(([sql]) => sql).filter((sql) => /^(select|update|delete)/i.test(sql));
  prepare.mockRestore();
  await store.close();

  const db = new Database(file);
  onTestFinished(() => void db.close());
  const plans = statements
    .flatMap((sql) =>
      db
        .prepare<unknown[], { detail: string }>(`explain query plan ${sql}`)
        .all(...Array.from({ length: sql.split("?").length - 1 }, () => null)),
    )
    .map(({ detail }) => detail)
    .join("\n");
  for (const index of [
    "tasks_open",
    "tasks_for_workers",
    "tasks_for_workers_due",
    "tasks_leased",
    "tasks_of_principal",
    "tasks_of_mcp",
    "tasks_ended",
    "tasks_suspect",
    "callbacks_awaiting",
    "callbacks_disabled",
    "deliveries_due",
    "deliveries_expiring",
    "deliveries_open",
    "callbacks_identity",
    "callbacks_subscription_id",
    "callbacks_subscribed",
    "callbacks_subscriptions",
    "deliveries_owed",
    "events_of_principal",
    "callbacks_hearing_progress",
    "verified_urls_until",
  ]) {
    expect(plans).toContain(index);
  }
});

test("no statement has a parameter for which SQLite compiles it anew at each run", async () => {
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  await (await openWholeStore(join(temporaryFolder(), "callbacks.db"))).close();
  const statements = prepare.mock.calls.map(([sql]) => sql);
  expect(statements.filter((sql) => /\blimit \+[?:]/i.test(sql)).length).toBeGreaterThan(10);
  expect(statements.filter((sql) => /\blimit [?:]/i.test(sql))).toEqual([]);
  // With its table before it where it is compared, and without where it is set.
  const compared = (sql: string): boolean => /"\."\w+" = [?:]|\bwhere "\w+" = [?:]/i.test(sql);
  expect(statements.filter((sql) => /"\."\w+" = \+[?:]/.test(sql)).length).toBeGreaterThan(50);
  expect(statements.filter((sql) => compared(sql) && !sql.includes('"secret_keys"'))).toEqual([]);
});

test("what register_callback has made is found by its task, and not among all that is no subscription", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  await (await openWholeStore(file)).close();
  const ofTask = prepare.mock.calls
    .map(([sql]) => sql)
    .filter(
      (sql) => /^(select|update|delete) /.test(sql) && /"task_id" = \+\?[^()]*"subscription_id" is null/.test(sql),
    );
  prepare.mockRestore();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  expect(ofTask.length).toBeGreaterThan(4);
  for (const sql of ofTask) {
    const nulls = Array.from({ length: sql.split("?").length - 1 }, () => null);
    const plan = db.prepare<unknown[], { detail: string }>(`explain query plan ${sql}`).all(...nulls);
    expect([sql, plan.map(({ detail }) => detail).join()]).toEqual([
      sql,
      expect.stringContaining("callbacks_identity (principal=? AND task_id=?"),
    ]);
  }
});

test("what is open is found among what is open, and not among all deliveries of an event", async () => {
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  const file = join(temporaryFolder(), "callbacks.db");
  await (await openWholeStore(file)).close();
  const asksForOpen = prepare.mock.calls
    .map(([sql]) => sql)
    .filter((sql) => /"status" in \('pending', 'sending'\) and [^()]*"event_id" = \+\?/.test(sql));
  prepare.mockRestore();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  expect(asksForOpen.length).toBeGreaterThan(0);
  for (const sql of asksForOpen) {
    const nulls = Array.from({ length: sql.split("?").length - 1 }, () => null);
    expect(db.prepare(`explain query plan ${sql}`).get(...nulls)).toMatchObject({
      detail: expect.stringContaining("deliveries_open"),
    });
  }
});

test("what is held of one callback is found by the callback, and not among all that is held", async () => {
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  const file = join(temporaryFolder(), "callbacks.db");
  await (await openWholeStore(file)).close();
  const [resume, ...others] = prepare.mock.calls
    .map(([sql]) => sql)
    .filter((sql) => /^update "deliveries" .*"callback_id" = \+\? and .*"next_attempt_at" is null/.test(sql));
  prepare.mockRestore();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  for (const sql of [resume!, ...others]) {
    const nulls = Array.from({ length: sql.split("?").length - 1 }, () => null);
    expect(db.prepare(`explain query plan ${sql}`).get(...nulls)).toMatchObject({
      detail: expect.stringContaining("deliveries_identity (callback_id=?)"),
    });
  }
});

test("a page of MCP tasks is read from those alone", async () => {
  const prepare = vi.spyOn(Database.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  const file = join(temporaryFolder(), "callbacks.db");
  await (await openWholeStore(file)).close();
  const pages = prepare.mock.calls.map(([sql]) => sql).filter((sql) => /^select .*"mcp_task" = 1\) order by/.test(sql));
  prepare.mockRestore();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  expect(pages).toHaveLength(1);
  const plan = db.prepare(`explain query plan ${pages[0]}`).all(null, null, null);
  // Of one principal, in their order: nothing is sorted.
  expect(plan).toEqual([
    expect.objectContaining({ detail: expect.stringMatching(/tasks_of_mcp \(principal=\? AND id<\?\)$/) }),
  ]);
});
