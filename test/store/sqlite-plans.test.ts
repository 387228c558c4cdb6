import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { openTestStore, openWholeStore } from "../support/sqlite-store.ts";

/** Scans that are allowed since they read few rows, and why. */
const SMALL_SCANS: readonly RegExp[] = [
  /USING (COVERING )?INDEX (tasks_open|callbacks_awaiting|deliveries_due|deliveries_expiring|deliveries_open)/, // has open rows only
  /USING COVERING INDEX callbacks_disabled/, // has disabled callbacks only
  /SCAN CONSTANT ROW/, // reads no table
  /SCAN json_each/, // the origins at their limit: at most the requests under way
  /SCAN pending_callbacks/, // the union of two partial indexes
  /SCAN (inbox|\(subquery-\d+\))/, // the inbox: 2,000 rows at most
  /SCAN sqlite_sequence/, // a row for each table that counts
  /SCAN secret_keys/, // a row for each key in use, read at the start
];

interface CompiledStore {
  /** The texts of all statements. */
  readonly statements: readonly string[];
  /** The lines of `explain query plan`, with null for each parameter. */
  readonly planOf: (statement: string) => readonly string[];
}

async function compileStore(): Promise<CompiledStore> {
  const file = join(temporaryFolder(), "callbacks.db");
  await (await openTestStore(file)).close();
  const prepare = vi.spyOn(Database.prototype, "prepare");
  const store = await openWholeStore(file);
  const statements = prepare.mock.calls.map(([sql]) => sql);
  prepare.mockRestore();
  await store.close();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  const planOf = (sql: string): readonly string[] => {
    const nulls = Array.from({ length: sql.split("?").length - 1 }, () => null);
    const rows = db.prepare<unknown[], { detail: string }>(`explain query plan ${sql}`).all(...nulls);
    return rows.map(({ detail }) => detail);
  };
  return { statements: statements.filter((sql) => /^(select|update|delete|insert)/i.test(sql)), planOf };
}

test("every statement of the store compiles", async () => {
  const { statements } = await compileStore();
  expect(statements.length).toBeGreaterThan(150);
});

test("no statement of the store scans history", async () => {
  const { statements, planOf } = await compileStore();
  const scans = statements
    .filter((sql) => !/sqlite_master|__drizzle/.test(sql))
    .flatMap((sql) =>
      planOf(sql)
        .filter((detail) => detail.startsWith("SCAN") && !SMALL_SCANS.some((small) => small.test(detail)))
        .map((detail) => `${detail}: ${sql}`),
    );
  expect(scans).toEqual([]);
});

test("each partial index is used by its query", async () => {
  const { statements, planOf } = await compileStore();
  const plans = statements
    .filter((sql) => !/^insert/i.test(sql))
    .flatMap(planOf)
    .join("\n");
  for (const index of [
    "tasks_open",
    "tasks_for_workers",
    "tasks_for_workers_due",
    "tasks_leased",
    "tasks_of_principal",
    "tasks_of_mcp",
    "tasks_ended",
    "tasks_poison",
    "callbacks_awaiting_task",
    "callbacks_disabled",
    "deliveries_due",
    "deliveries_expiring",
    "deliveries_open",
    "callbacks_identity",
    "callbacks_subscription_id",
    "callbacks_subscriptions_by_task",
    "callbacks_subscriptions_by_time",
    "deliveries_open_of_subscription",
    "events_of_principal",
    "callbacks_with_progress",
    "verified_urls_until",
  ]) {
    expect(plans).toContain(index);
  }
});

test("no statement has a parameter that makes SQLite compile it again at each run", async () => {
  const { statements } = await compileStore();
  expect(statements.filter((sql) => /\blimit \+[?:]/i.test(sql)).length).toBeGreaterThan(10);
  expect(statements.filter((sql) => /\blimit [?:]/i.test(sql))).toEqual([]);
  // A compared column has its table before it, a column that is set has not.
  const compared = (sql: string): boolean => /"\."\w+" = [?:]|\bwhere "\w+" = [?:]/i.test(sql);
  expect(statements.filter((sql) => /"\."\w+" = \+[?:]/.test(sql)).length).toBeGreaterThan(50);
  expect(statements.filter((sql) => compared(sql) && !sql.includes('"secret_keys"'))).toEqual([]);
});

test("the registered callbacks of a task are found by the task, without reading other callbacks", async () => {
  const { statements, planOf } = await compileStore();
  const ofTask = statements.filter(
    (sql) => /^(select|update|delete) /.test(sql) && /"task_id" = \+\?[^()]*"subscription_id" is null/.test(sql),
  );
  expect(ofTask.length).toBeGreaterThan(4);
  for (const sql of ofTask)
    expect([sql, planOf(sql).join()]).toEqual([
      sql,
      expect.stringContaining("callbacks_identity (principal=? AND task_id=?"),
    ]);
});

test("the open deliveries of an event are found among open deliveries", async () => {
  const { statements, planOf } = await compileStore();
  const open = statements.filter((sql) => /"status" in \('pending', 'sending'\) and [^()]*"event_id" = \+\?/.test(sql));
  expect(open.length).toBeGreaterThan(0);
  for (const sql of open) expect(planOf(sql)[0]).toContain("deliveries_open");
});

test("the held deliveries of a callback are found by the callback, without reading other held deliveries", async () => {
  const { statements, planOf } = await compileStore();
  const held = statements.filter((sql) =>
    /^update "deliveries" .*"callback_id" = \+\? and .*"next_attempt_at" is null/.test(sql),
  );
  expect(held.length).toBeGreaterThan(0);
  for (const sql of held) expect(planOf(sql)[0]).toContain("deliveries_identity (callback_id=?)");
});

test("a page of MCP tasks reads MCP tasks only", async () => {
  const { statements, planOf } = await compileStore();
  const pages = statements.filter((sql) => /^select .*"mcp_task" = 1\) order by/.test(sql));
  expect(pages).toHaveLength(1);
  // Of one principal, in their order: nothing is sorted.
  expect(planOf(pages[0]!)).toEqual([expect.stringMatching(/tasks_of_mcp \(principal=\? AND id<\?\)$/)]);
});
