/** What survives a restart, and what no verb of the port shows: read from the file. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { createEventCursors } from "../../src/domain/event-cursor.ts";
import type { Store } from "../../src/service/ports/store.ts";
import {
  A_SECRET,
  aClaim,
  aRecord,
  aStart,
  aSubscription,
  FAILED_503,
  HOUR_MS,
  T0,
  temporaryFolder,
} from "../support/builders.ts";
import { openTestStore, openWholeStore } from "../support/sqlite-store.ts";

const ANOTHER_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

async function end(store: Store, taskId: string): Promise<void> {
  await store.startTask(aStart({ taskId }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: 1 }, now: T0 });
}

/** What one store does, another one on the same file goes on with. */
async function inTurn(first: (store: Store) => Promise<unknown>, second: (store: Store) => Promise<unknown>) {
  const file = join(temporaryFolder(), "callbacks.db");
  for (const turn of [first, second]) {
    const store = await openTestStore(file);
    try {
      await turn(store);
    } finally {
      await store.close();
    }
  }
}

test("a subscription, its deliveries, both its secrets and its verified URL survive a restart", async () => {
  const { id, key } = aSubscription();
  await inTurn(
    async (store) => {
      await store.recordVerified({ principal: key.principal, url: key.url, until: T0 + 10 });
      await store.putSubscription(aSubscription());
      await store.putSubscription(aSubscription({ secret: ANOTHER_SECRET }));
      await end(store, "a");
      const [claimed] = await store.claimDueDeliveries(aClaim());
      const step = { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false } as const;
      await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step }));
    },
    async (store) => {
      await store.recoverInterrupted(T0 + 9);
      const found = await store.lookUpSubscription({ key, id, now: T0 + 9 });
      expect(found).toMatchObject({ exists: true, isUrlVerified: true, own: 1 });
      const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 5000 }));
      expect(claimed).toMatchObject([
        {
          attemptCount: 1,
          notAfter: T0 + HOUR_MS,
          cursor: createEventCursors(await store.eventLog()).of(1),
          callback: { subscriptionId: id, signingSecrets: [ANOTHER_SECRET, A_SECRET] },
        },
      ]);
      expect(await store.putSubscription(aSubscription({ secret: ANOTHER_SECRET }))).toMatchObject({
        kind: "refreshed",
        watermark: 0,
        health: { lastError: "http_5xx", failingSince: T0 + 12 },
      });
    },
  );
});

test("a delivery that was under way when the process died is sent again, until the end that the subscription had then", async () => {
  await inTurn(
    async (store) => {
      await store.putSubscription(aSubscription());
      await end(store, "a");
      await store.claimDueDeliveries(aClaim());
    },
    async (store) => {
      await store.recoverInterrupted(T0 + HOUR_MS);
      expect(await store.claimDueDeliveries(aClaim({ now: T0 + HOUR_MS }))).toEqual([]);
      expect(await store.expireDeliveries({ now: T0 + HOUR_MS, limit: 9 })).toMatchObject([{ reason: "expired" }]);
    },
  );
});

test("a place in the log stays behind everything that was, though retention has removed it all before the restart", async () => {
  await inTurn(
    async (store) => {
      await end(store, "a");
      await store.pruneHistory({ before: T0 + 1, limit: 9, after: null });
    },
    async (store) => {
      expect(await store.lastEventSeq()).toBe(1);
      const replay = { afterSeq: 0, notBefore: 0, max: 9 };
      expect(await store.putSubscription(aSubscription({ replay }))).toMatchObject({ truncated: true, watermark: 1 });
    },
  );
});

test("the log keeps its name over restarts, and no other database has it", async () => {
  const [file, other] = [join(temporaryFolder(), "a.db"), join(temporaryFolder(), "b.db")];
  const names: string[] = [];
  for (const each of [file, file, other]) {
    const store = await openTestStore(each);
    names.push(await store.eventLog());
    await store.close();
  }
  expect(names[1]).toBe(names[0]);
  expect(names[2]).not.toBe(names[0]);
});

test("a create that fails half-way through its replay leaves nothing", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  for (const taskId of ["a", "b"]) await end(store, taskId);
  const db = new Database(file);
  onTestFinished(() => void db.close());
  db.exec(`create trigger full before insert on deliveries when new.event_seq = 2
    begin select raise(abort, 'no second one'); end`);
  const replay = { afterSeq: 0, notBefore: 0, max: 9 };
  await expect(store.putSubscription(aSubscription({ replay }))).rejects.toThrow("no second one");
  const rows = db.prepare("select (select count(*) from callbacks) + (select count(*) from deliveries) as count").get();
  expect(rows).toEqual({ count: 0 });
  db.exec("drop trigger full");
  expect(await store.putSubscription(aSubscription({ replay }))).toMatchObject({ kind: "created", replayed: 2 });
});

test("of two subscriptions that take the last place at the same moment one gets it", async () => {
  const store = await openTestStore();
  onTestFinished(() => store.close());
  const results = await Promise.all(
    ["a", "b", "c"].map((taskId) => store.putSubscription(aSubscription({ taskId, perPrincipalMax: 1 }))),
  );
  expect(results.map(({ kind }) => kind).toSorted()).toEqual(["created", "limit", "limit"]);
});

/** Its plan with every parameter null. */
async function planned(pattern: RegExp): Promise<readonly { readonly statement: string; readonly plan: string }[]> {
  const file = join(temporaryFolder(), "callbacks.db");
  await (await openTestStore(file)).close();
  const prepare = vi.spyOn(Database.prototype, "prepare");
  const store = await openWholeStore(file);
  const statements = [...new Set(prepare.mock.calls.map(([statement]) => statement))];
  prepare.mockRestore();
  await store.close();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  return statements
    .filter((statement) => pattern.test(statement))
    .map((statement) => {
      const nulls = Array.from({ length: statement.split("?").length - 1 }, () => null);
      const rows = db.prepare<unknown[], { detail: string }>(`explain query plan ${statement}`).all(...nulls);
      return { statement, plan: rows.map(({ detail }) => detail).join("\n") };
    });
}

test.each([
  [
    "the subscriptions to the end of one task",
    /^select "id".* from "callbacks" where .*"callbacks"."principal" = \+\? and "callbacks"."task_id" = \+\? and \("callbacks"."expires_at"/,
    /SEARCH callbacks USING INDEX callbacks_subscriptions_by_task \(principal=\? AND task_id=\?\)/,
  ],
  [
    "the subscriptions to the end of any task",
    /^select "id".* from "callbacks" where .*"callbacks"."principal" = \+\? and "callbacks"."task_id" is null/,
    /SEARCH callbacks USING INDEX callbacks_subscriptions_by_task \(principal=\? AND task_id=\?\)/,
  ],
  [
    "the watermark of a subscription, among its open deliveries",
    /^select min\("event_seq"\) from "deliveries"/,
    /SEARCH deliveries USING INDEX deliveries_open_of_subscription \(callback_id=\?/,
  ],
  [
    "a principal's events after a cursor",
    /^select "seq", "id", "type", .* from "events" where .* order by "events"."seq" asc/,
    /SEARCH events USING INDEX events_of_principal \(principal=\? AND seq>\?\)/,
  ],
  [
    "a page of a principal's subscriptions",
    /^select .* from "callbacks" where \("subscription_id" is not null and .*"id"\) > \(\?, \?\)/,
    /SEARCH callbacks USING INDEX callbacks_subscriptions_by_time \(principal=\?/,
  ],
  [
    "the number of a principal's live subscriptions",
    /^select count\(\*\) from "callbacks" where \("subscription_id" is not null.* and "callbacks"."principal" = \+\?/,
    /SEARCH callbacks USING INDEX callbacks_subscriptions_by_task \(principal=\?/,
  ],
  [
    "a subscription, by its id",
    /^select .* from "callbacks" where "callbacks"."subscription_id" = \+\?/,
    /SEARCH callbacks USING INDEX callbacks_subscription_id \(subscription_id=\?\)/,
  ],
])("is found by its index: %s", async (_, pattern, want) => {
  const found = await planned(pattern);
  expect(found.map(({ statement }) => statement)).not.toEqual([]);
  for (const { plan } of found) {
    expect(plan).toMatch(want);
    expect(plan).not.toMatch(/TEMP B-TREE FOR ORDER BY|SCAN (callbacks|events|deliveries)/);
  }
});
