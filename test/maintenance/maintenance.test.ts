import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { createEndpointVerifier } from "../../src/outbound/endpoint-verifier.ts";
import { Maintenance } from "../../src/maintenance/maintenance.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { createTermination } from "../../src/service/termination.ts";
import { createWorkQueue } from "../../src/store/work-queue.ts";
import {
  A_SECRET,
  aClaim,
  aRecord,
  aRegistration,
  aStart,
  aSubscription,
  temporaryFolder,
} from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { listenRaw, receiverWith } from "../support/sender.ts";
import { signatureBy } from "../support/signature-by.ts";
import { openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Options {
  readonly retentionMs?: number | null;
  readonly file?: string;
  readonly sendsTerminated?: boolean;
  readonly storeOfMaintenance?: (store: Store) => Store;
}

async function setUp({
  retentionMs = 30 * DAY_MS,
  file,
  sendsTerminated = true,
  storeOfMaintenance = (it) => it,
}: Options = {}) {
  const clock = createFakeClock();
  const store = await openTestStore(file);
  const emitted: TelemetryEvent[] = [];
  const emit = (one: TelemetryEvent): void => void emitted.push(one);
  const queue = createWorkQueue({ clock, emit, name: "maintenance" });
  const endpointVerifier = createEndpointVerifier({
    guard: createAddressGuard({ allow: "loopback" }),
    attemptTimeoutMs: 60_000,
    userAgent: "test",
  });
  const newNonce = () => "nonce";
  const termination = createTermination({
    endpointVerifier,
    clock,
    newNonce,
    errorCodes: "sep",
    sendsTerminated,
  });
  const maintenance = new Maintenance({
    store: storeOfMaintenance(store),
    queue,
    clock,
    retentionMs,
    emit,
    termination,
  });
  onTestFinished(async () => {
    await maintenance.stop();
    await endpointVerifier.close();
    await store.close();
  });

  /** Tasks with one delivered callback each, a result of 2 KiB in both task and event. */
  async function endTasks(count: number, prefix = "t"): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    const now = clock.now();
    await Promise.all(ids.map((taskId) => store.registerCallback(aRegistration({ taskId, now }))));
    await Promise.all(ids.map((taskId) => store.startTask(aStart({ taskId, now }))));
    const outcome = { status: "completed", result: "x".repeat(2048) } as const;
    const running = await store.claimRunnableTasks({ limit: count, now });
    await Promise.all(running.map(({ id }) => store.finishTask({ id, outcome, now })));
    const claims = await store.claimDueDeliveries(aClaim({ now, limit: count, perOrigin: count }));
    await Promise.all(claims.map((claim) => store.recordAttempt(aRecord(claim, { startedAt: now }))));
  }
  /** One whole pass; the clock skips the pauses between its steps. */
  async function pass(): Promise<number | null> {
    let isOver = false;
    const over = maintenance.pass().finally(() => (isOver = true));
    await until("the pass is over", () => {
      clock.advance(20);
      return isOver;
    });
    return over;
  }
  const has = async (taskId: string) => (await store.findTask("local", taskId)) !== null;
  return { clock, store, maintenance, emitted, endTasks, pass, has };
}

test("history older than the retention is removed, and one event has the counts", async () => {
  const { clock, emitted, endTasks, pass, has } = await setUp();
  await endTasks(450, "old");
  clock.advance(DAY_MS);
  await endTasks(1, "young");
  clock.advance(30 * DAY_MS - HOUR_MS);
  const next = await pass();
  expect(emitted).toEqual([
    {
      kind: "history.pruned",
      before: expect.any(Number),
      durationMs: expect.any(Number),
      tasks: 450,
      callbacks: 450,
      events: 450,
      deliveries: 450,
      attempts: 450,
    },
  ]);
  expect([await has("old0"), await has("old449"), await has("young0")]).toEqual([false, false, true]);
  expect(next! - clock.now()).toBeGreaterThan(HOUR_MS - 1000);
  await pass();
  expect(emitted).toHaveLength(1);
});

test("nothing is removed without a retention", async () => {
  const { clock, maintenance, endTasks, has } = await setUp({ retentionMs: null });
  await endTasks(1);
  clock.advance(10_000 * DAY_MS);
  expect(await maintenance.pass()).toBeNull();
  expect(await has("t0")).toBe(true);
});

test("it passes at the start and every hour, and sleeps between", async () => {
  const { clock, maintenance, endTasks, has } = await setUp({ retentionMs: HOUR_MS });
  maintenance.start();
  await until("it sleeps", () => clock.sleeping === 1);
  await endTasks(1);
  for (let minute = 0; minute < 59; minute++) {
    clock.advance(60_000);
    await nextTurn();
    await until("it sleeps on", () => clock.sleeping === 1);
  }
  expect(await has("t0")).toBe(true);
  clock.advance(60_001);
  await until(
    "it looked, an hour after the end but not after the last attempt, and sleeps",
    () => clock.sleeping === 1,
  );
  clock.advance(HOUR_MS);
  await until("it is gone", async () => !(await has("t0")));
});

test("the event loop is free between the steps, and a stop ends the pass after its current step", async () => {
  const { clock, maintenance, emitted, endTasks, has } = await setUp({ retentionMs: HOUR_MS });
  await endTasks(450);
  const ids = Array.from({ length: 450 }, (_, index) => `t${index}`);
  const left = async () => (await Promise.all(ids.map(has))).filter(Boolean).length;
  clock.advance(DAY_MS);
  maintenance.start();
  await until("it pauses after the first step", () => clock.sleeping === 1);
  expect(await left()).toBe(250);
  await maintenance.stop();
  expect(await left()).toBe(250);
  expect(emitted).toMatchObject([{ kind: "history.pruned", tasks: 200 }]);
});

test("a pass that fails reports what it removed, and runs again", async () => {
  let calls = 0;
  const { clock, maintenance, emitted, endTasks } = await setUp({
    retentionMs: HOUR_MS,
    storeOfMaintenance: (store) => ({
      ...store,
      pruneHistory: (command) => (++calls === 2 ? Promise.reject(new Error("disk full")) : store.pruneHistory(command)),
    }),
  });
  await endTasks(300);
  clock.advance(DAY_MS);
  maintenance.start();
  await until("it pauses", () => calls === 1 && clock.sleeping === 1);
  clock.advance(20);
  await until("it failed", () => emitted.length === 2 && clock.sleeping === 1);
  expect(emitted).toMatchObject([
    { kind: "history.pruned", tasks: 200 },
    { kind: "internal.failed", where: "queue maintenance" },
  ]);
  clock.advance(1000);
  await until("the rest is gone", () => emitted.length === 3);
  expect(emitted[2]).toMatchObject({ kind: "history.pruned", tasks: 100 });
});

/** Of the database, with the part that is still in the log. */
function bytesOf(file: string): number {
  const db = new Database(file, { readonly: true });
  const [pages, pageBytes] = ["page_count", "page_size"].map((name) => Number(db.pragma(name, { simple: true })));
  db.close();
  return pages! * pageBytes!;
}

test("free pages are used again: the file does not grow over rounds of filling and pruning", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const { clock, endTasks, pass } = await setUp({ file });
  const sizes: number[] = [];
  for (let round = 0; round < 6; round++) {
    await endTasks(300, `round${round}-`);
    clock.advance(31 * DAY_MS);
    await pass();
    sizes.push(bytesOf(file));
  }
  expect(Math.max(...sizes)).toBeLessThan(sizes[1]! * 1.25);
  expect(sizes[0]).toBeGreaterThan(300 * 2 * 2048);
});

/** Subscriptions without an end, each suspended at its first failed attempt. */
async function suspendEndless(store: Store, urls: readonly string[], now: number): Promise<void> {
  for (const url of urls)
    await store.putSubscription(aSubscription({ url, now, expiresAt: null, perPrincipalMax: 99 }));
  await store.startTask(aStart({ now }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: 1 }, now });
  const disablePolicy = { forMs: 0, failuresMin: 1 };
  const outcome = { statusCode: 503, error: "http_5xx", responseExcerpt: null } as const;
  const step = { status: "pending", nextAttemptAt: now + DAY_MS, keepClaim: false } as const;
  for (const claim of await store.claimDueDeliveries(aClaim({ now, limit: 100, perOrigin: 100 })))
    await store.recordAttempt(aRecord(claim, { startedAt: now, outcome, step, disablePolicy }));
}

test("a subscription without an end that is given up gets one signed message with the reason", async () => {
  const { clock, store, emitted, pass } = await setUp();
  const receiver = await receiverWith();
  await suspendEndless(store, [`${receiver.url}/a`, `${receiver.url}/b`], clock.now());
  // An hour early: a pass advances the clock.
  clock.advance(30 * DAY_MS - HOUR_MS);
  await pass();
  expect(receiver.requests).toEqual([]);
  clock.advance(DAY_MS);
  await pass();
  await receiver.waitFor(2);
  const { id } = aSubscription({ url: `${receiver.url}/a` });
  const request = receiver.requests.find(({ path }) => path === "/a")!;
  expect(request.headers).toMatchObject({
    "webhook-id": expect.stringMatching(/^msg_terminated_/),
    "webhook-signature": signatureBy(A_SECRET, request),
    "x-mcp-subscription-id": id,
  });
  expect(JSON.parse(request.body)).toEqual({
    type: "terminated",
    error: { code: -32027, message: "CallbackEndpointError", data: { reason: "http_5xx" } },
  });
  expect(emitted).toContainEqual({
    kind: "subscription.ended",
    principal: "local",
    subscriptionId: id,
    why: "given up",
  });
  await pass();
  expect(receiver.requests).toHaveLength(2);
});

test("it ends without a message when the settings say so", async () => {
  const { clock, store, emitted, pass } = await setUp({ sendsTerminated: false });
  const receiver = await receiverWith();
  await suspendEndless(store, [receiver.url], clock.now());
  clock.advance(31 * DAY_MS);
  await pass();
  expect(emitted).toContainEqual(expect.objectContaining({ kind: "subscription.ended", why: "given up" }));
  expect(receiver.connections).toBe(0);
});

test("maintenance does not wait for receivers that do not answer, and neither does its stop", async () => {
  const { clock, store, maintenance, emitted, pass } = await setUp();
  const { url } = await listenRaw(() => undefined);
  const urls = Array.from({ length: 20 }, (_, index) => `${url}/${index}`);
  await suspendEndless(store, urls, clock.now());
  clock.advance(31 * DAY_MS);
  await pass();
  expect(emitted.filter(({ kind }) => kind === "subscription.ended")).toHaveLength(20);
  await maintenance.stop();
});
