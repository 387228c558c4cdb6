/** What one claim costs beside a principal with a long queue. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { createSteps } from "./conformance/setup.ts";
import { limitKeyOf } from "../../src/domain/limit-key.ts";
import { aClaim, aRegistration, T0, temporaryFolder } from "../support/builders.ts";
import { openTestStore } from "../support/sqlite-store.ts";

const LIMIT = 64;
const DUE = 100_000;
const ORIGINS = 1000;

/** A store with a long queue of bob's, all due before the ten deliveries of alice. */
async function withLongQueue() {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await openTestStore(file);
  const { runningTask, complete, registerMany } = createSteps(() => first);
  await first.registerCallback(aRegistration({ principal: "bob" }));
  await complete(await runningTask("task-1", "bob"), T0);
  await registerMany(10, { principal: "alice", url: "http://alice.example/" });
  await complete(await runningTask("task-1", "alice"), T0 + 1);
  await first.close();
  multiply(file);
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  return store;
}

/** Makes one delivery of bob's as many as are due: each of an event of its own, in turns to the origins. */
function multiply(file: string): void {
  const db = new Database(file);
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${DUE - 1})`;
  const columns = (table: string, changes: Readonly<Record<string, string>>): string =>
    db
      .prepare<[string], string>("select name from pragma_table_info(?)")
      .pluck()
      .all(table)
      .map((name) => changes[name] ?? name)
      .join();
  const event = columns("events", { seq: "null", id: "id || i" });
  const delivery = columns("deliveries", {
    id: "id || i",
    event_id: "event_id || i",
    origin: `'http://hangs-' || (i % ${ORIGINS}) || '.example'`,
  });
  db.exec(`${numbers} insert into events select ${event} from events, n where principal = 'bob'`);
  db.exec(`${numbers} insert into deliveries select ${delivery} from deliveries, n where principal = 'bob'`);
  db.close();
}

/** Runs it, and counts the statements that it runs and the rows that they give. */
async function counted<Result>(work: () => Promise<Result>) {
  const statement = Object.getPrototypeOf(new Database(":memory:").prepare("select 1")) as Database.Statement;
  const all = vi.spyOn(statement, "all");
  const get = vi.spyOn(statement, "get");
  const run = vi.spyOn(statement, "run");
  const result = await work();
  const rows = all.mock.results.reduce((sum, { value }) => sum + (value as readonly unknown[]).length, 0);
  const statements = all.mock.calls.length + get.mock.calls.length + run.mock.calls.length;
  for (const spy of [all, get, run]) spy.mockRestore();
  return { result, rows, statements };
}

test("ten deliveries are in the next claim beside 100,000 older ones of another principal on 1,000 origins", async () => {
  const store = await withLongQueue();
  const now = T0 + 5;
  const names = (claimed: readonly { readonly principal: string }[], name: string): number =>
    claimed.filter(({ principal }) => principal === name).length;

  const first = await counted(() => store.claimDueDeliveries(aClaim({ now, limit: LIMIT, perOrigin: 12 })));
  expect([names(first.result, "alice"), names(first.result, "bob")]).toEqual([10, LIMIT - 10]);
  // The event of each delivery is read by itself.
  expect(first.statements).toBeLessThan(LIMIT + 30);
  // Entries for each origin, and none for each delivery.
  expect(first.rows).toBeLessThan(3 * ORIGINS);

  // All the slots of bob's origins are taken: nothing of bob's can be sent.
  await store.recoverInterrupted(now);
  const hanging = Array.from({ length: ORIGINS }, (_, index) => `http://hangs-${index}.example`);
  const full = [...hanging, "http://receiver.example"].map(
    (origin) => [limitKeyOf({ principal: "bob", origin }), 0] as const,
  );
  const claim = aClaim({ now, limit: LIMIT, perOrigin: 12, freeSlotsByKey: new Map(full) });
  const second = await counted(() => store.claimDueDeliveries(claim));
  expect([names(second.result, "alice"), names(second.result, "bob")]).toEqual([10, 0]);
  expect(second.statements).toBeLessThan(30);
  expect(second.rows).toBeLessThan(3 * ORIGINS);

  // Bob has its share of the slots: nothing of bob's is read.
  await store.recoverInterrupted(now);
  const claimants = new Map([["bob", { held: 384, room: 0 }]]);
  const third = await counted(() => store.claimDueDeliveries(aClaim({ now, limit: LIMIT, claimants })));
  expect([names(third.result, "alice"), third.rows]).toEqual([10, expect.toSatisfy((rows: number) => rows < 100)]);
});
