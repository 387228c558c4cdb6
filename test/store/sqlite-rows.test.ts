/** What no verb of the store shows, looked up in its file. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { Outcome } from "../../src/domain/attempt.ts";
import type { DisablePolicy } from "../../src/domain/callback-health.ts";
import type { StoredStep } from "../../src/domain/delivery-state.ts";
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
  const record = (outcome: Outcome, step: StoredStep, disablePolicy: DisablePolicy | null = null) =>
    store.recordAttempt(aRecord(claimed!, { outcome, step, disablePolicy }));
  return { file, store, db, claimed: claimed!, record };
}

/** No verb gives a callback a second event yet, so these are put in by hand: copies of its one event and delivery. */
function addDelivery(db: Database.Database, name: string, status: string, nextAttemptAt: number | null = null) {
  db.prepare("insert into events select null, ?, principal, task, type, occurred_at, data from events limit 1").run(
    `evt_${name}`,
  );
  db.prepare(
    `insert into deliveries (id, event_id, callback_id, principal, origin, profile, profile_version, status, next_attempt_at, attempt_count, claim, created_at)
     select ?, ?, callback_id, principal, origin, profile, profile_version, ?, ?, 0, 1, created_at from deliveries limit 1`,
  ).run(`dlv_${name}`, `evt_${name}`, status, nextAttemptAt);
}

test("an excerpt of a failed answer is kept for the operator", async () => {
  const { db, record } = await oneClaimed();
  await record(FAILED_503, { status: "exhausted", disablesCallback: false });
  expect(db.prepare("select response_excerpt from attempts").all()).toEqual([{ response_excerpt: "busy" }]);
});

test("410 Gone withdraws the other open deliveries of the callback, and none that is over", async () => {
  const { db, record } = await oneClaimed();
  for (const status of ["pending", "sending", "delivered"]) addDelivery(db, status, status);
  const gone = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
  await record(gone, { status: "exhausted", disablesCallback: true });
  expect(db.prepare("select id, status from deliveries where attempt_count = 0 order by id").all()).toEqual([
    { id: "dlv_delivered", status: "delivered" },
    { id: "dlv_pending", status: "cancelled" },
    { id: "dlv_sending", status: "cancelled" },
  ]);
  expect(db.prepare("select status from callbacks").all()).toEqual([{ status: "disabled" }]);
});

const AT_ONCE = { forMs: 0, failuresMin: 1 };
const PARKED = { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false } as const;

/** The callback of `oneClaimed` disabled for failing, while three more of its deliveries are being sent. */
async function disabledInFlight() {
  const opened = await oneClaimed();
  for (const name of ["a", "b", "c"]) addDelivery(opened.db, name, "sending");
  await opened.record(FAILED_503, PARKED, AT_ONCE);
  const rows = (name: string) =>
    opened.db.prepare("select status, next_attempt_at as due from deliveries where id = ?").get(`dlv_${name}`);
  const end = (name: string, changes: Parameters<typeof aRecord>[1]) =>
    opened.store.recordAttempt(
      aRecord({ deliveryId: `dlv_${name}`, claim: 1 }, { disablePolicy: AT_ONCE, ...changes }),
    );
  return { ...opened, rows, end };
}

const HELD = { status: "pending", due: null };

test("long failure holds the other deliveries that wait, whether due, parked or kept by a claim, and none that is over", async () => {
  const { db, record } = await oneClaimed();
  addDelivery(db, "due", "pending", T0);
  addDelivery(db, "kept", "sending", T0 + 100);
  addDelivery(db, "delivered", "delivered");
  addDelivery(db, "sending", "sending");
  expect(await record(FAILED_503, PARKED, AT_ONCE)).toMatchObject({ callbackChange: { heldCount: 3 } });
  const others = db.prepare(
    "select id, status, next_attempt_at as due from deliveries where id like 'dlv!_%' escape '!' and attempt_count = 0 order by id",
  );
  expect(others.all()).toEqual([
    { id: "dlv_delivered", status: "delivered", due: null },
    { id: "dlv_due", ...HELD },
    { id: "dlv_kept", ...HELD },
    { id: "dlv_sending", status: "sending", due: null },
  ]);
});

test("what was under way when its callback was disabled is held once it has failed, was released or is reclaimed", async () => {
  const { store, rows, end } = await disabledInFlight();
  expect(await end("a", { outcome: FAILED_503, step: PARKED })).toEqual({
    claimWasCurrent: true,
    eventSettled: false,
    isHeld: true,
  });
  await store.releaseClaim({ deliveryId: "dlv_b", claim: 1 }, T0);
  expect(await store.recoverInterrupted(T0)).toMatchObject({ deliveries: 1 });
  expect(["a", "b", "c"].map(rows)).toEqual([HELD, HELD, HELD]);
  expect(await store.counts()).toMatchObject({ pendingCallbacks: 0, disabledCallbacks: 1 });
});

test("one that was to be sent again is held too when its attempt fails", async () => {
  const { db, rows, end } = await disabledInFlight();
  db.prepare("update deliveries set send_again = 1 where id = 'dlv_a'").run();
  await end("a", { outcome: FAILED_503, step: { status: "exhausted", disablesCallback: false } });
  expect(rows("a")).toEqual(HELD);
});

test("a success that was under way when its callback was disabled brings it back, and what was held is due", async () => {
  const { store, rows, end } = await disabledInFlight();
  await end("a", { outcome: FAILED_503, step: PARKED });
  expect(await end("b", {})).toEqual({
    claimWasCurrent: true,
    eventSettled: true,
    callbackChange: { status: "active", resumedCount: 2 },
  });
  expect(rows("a")).toEqual({ status: "pending", due: T0 + 12 });
  expect(await store.counts()).toMatchObject({ pendingCallbacks: 1, disabledCallbacks: 0 });
});

test("410 Gone after long failure cancels what was held", async () => {
  const { rows, end } = await disabledInFlight();
  await end("a", { outcome: FAILED_503, step: PARKED });
  const gone = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
  expect(await end("b", { outcome: gone, step: { status: "exhausted", disablesCallback: true } })).toMatchObject({
    callbackChange: { reason: "gone", heldCount: 0 },
  });
  expect(rows("a")).toEqual({ status: "cancelled", due: null });
});

test("a callback disabled for failing that awaits a task's end gets a held delivery; one that is gone gets none", async () => {
  const { store, db } = await oneClaimed();
  for (const [clientId, reason] of [
    ["failing", "failing"],
    ["gone", "gone"],
  ] as const) {
    await store.registerCallback(aRegistration({ taskId: "task-2", clientId }));
    // No verb disables a callback that still awaits its task, since its first delivery comes with the end.
    db.prepare("update callbacks set status = 'disabled', disabled_reason = ? where client_id = ?").run(
      reason,
      clientId,
    );
  }
  await store.startTask(aStart({ taskId: "task-2" }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  const finished = await store.finishTask({ id: task!.id, outcome: { status: "completed", result: 1 }, now: T0 });
  expect(finished).toMatchObject({ deliveryCount: 1 });
  const entries = await store.deliveryHistory("local", "task-2");
  const deliveriesOf = (name: string) => entries.find(({ callback }) => callback.clientId === name)!.deliveries;
  expect(deliveriesOf("failing")).toMatchObject([{ status: "pending", nextAttemptAt: null }]);
  expect(deliveriesOf("gone")).toEqual([]);
});
