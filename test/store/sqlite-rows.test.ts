/** What no verb of the store shows, looked up in its file. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { Outcome } from "../../src/domain/attempt.ts";
import type { RecordedStep } from "../../src/service/ports.ts";
import { aClaim, aRecord, aRegistration, aStart, FAILED_503, T0, temporaryFolder } from "../support/builders.ts";
import { openTestStore } from "../support/sqlite-store.ts";

/** A store whose one delivery is claimed, and the same file for those who want to look inside. */
async function oneClaimed() {
  const file = join(temporaryFolder(), "callbacks.db");
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  const db = new Database(file);
  onTestFinished(() => void db.close());
  await store.registerCallback(aRegistration());
  await store.startTask(aStart());
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: "done" }, now: T0 });
  const [claimed] = await store.claimDueDeliveries(aClaim());
  const record = (outcome: Outcome, step: RecordedStep) => store.recordAttempt(aRecord(claimed!, { outcome, step }));
  return { db, record };
}

test("an excerpt of a failed answer is kept for the operator", async () => {
  const { db, record } = await oneClaimed();
  await record(FAILED_503, { status: "exhausted", disablesCallback: false });
  expect(db.prepare("select response_excerpt from attempts").all()).toEqual([{ response_excerpt: "busy" }]);
});

test("410 Gone withdraws the other open deliveries of the callback, and none that is over", async () => {
  const { db, record } = await oneClaimed();
  // No verb gives a callback a second event yet, so these are put in by hand: copies of its one event and delivery.
  for (const status of ["pending", "sending", "delivered"]) {
    db.prepare("insert into events select null, ?, principal, task, type, occurred_at, data from events limit 1").run(
      `evt_${status}`,
    );
    db.prepare(
      `insert into deliveries (id, event_id, callback_id, principal, origin, profile, profile_version, status, attempt_count, claim, created_at)
       select ?, ?, callback_id, principal, origin, profile, profile_version, ?, 0, 0, created_at from deliveries limit 1`,
    ).run(`dlv_${status}`, `evt_${status}`, status);
  }
  const gone = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
  await record(gone, { status: "exhausted", disablesCallback: true });
  expect(db.prepare("select id, status from deliveries where attempt_count = 0 order by id").all()).toEqual([
    { id: "dlv_delivered", status: "delivered" },
    { id: "dlv_pending", status: "cancelled" },
    { id: "dlv_sending", status: "cancelled" },
  ]);
  expect(db.prepare("select status from callbacks").all()).toEqual([{ status: "disabled" }]);
});
