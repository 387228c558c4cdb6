import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { StoreUnavailable } from "../../src/domain/errors.ts";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { Dispatcher } from "../../src/delivery/dispatcher.ts";
import type { ConcurrencyLimits } from "../../src/delivery/slots.ts";
import type { Resolve } from "../../src/outbound/address-guard.ts";
import type { ResolvedAddress } from "../../src/outbound/names/hosts-file.ts";
import { createSender } from "../../src/outbound/sender.ts";
import { failingWith } from "../support/resolve.ts";
import type { DisablePolicy } from "../../src/domain/callback-health.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import type { Task } from "../../src/domain/task.ts";
import { createTaskEnd } from "../../src/service/task-end.ts";
import type { EndTask } from "../../src/service/task-end.ts";
import type { ClaimedDelivery } from "../../src/service/ports/delivery-store.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { A_SECRET, aClaim, aRegistration, aStart } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { openTestStorage } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

interface Options {
  readonly waitsMs?: readonly number[];
  readonly limits?: ConcurrencyLimits;
  readonly disablePolicy?: DisablePolicy | null;
  /** Changes the store of the dispatcher; the test reads the real one. */
  readonly storeOfDispatcher?: (store: Store) => Store;
  /** In place of DNS. */
  readonly resolve?: Resolve;
}

/** The real store, sender and receiver, with the clock of the test. */
async function setUp({
  waitsMs = [5000],
  limits = { total: 8, perOrigin: 4 },
  disablePolicy = null,
  storeOfDispatcher = (it) => it,
  resolve = failingWith("ENOTFOUND"),
}: Options = {}) {
  const clock = createFakeClock(Date.now());
  const receiver = await startReceiver();
  const announcements: TelemetryEvent[] = [];
  const emit = (announcement: TelemetryEvent) => void announcements.push(announcement);
  const { store, queues } = await openTestStorage({ clock, emit });
  const guard = createAddressGuard({ allow: "loopback", resolve });
  const sender = createSender({
    guard,
    // No test waits for it.
    attemptTimeoutMs: 600_000,
    connectionsPerOrigin: limits.perOrigin,
    userAgent: "test",
  });
  const retryPolicy = { waitsMs, jitter: 0 };
  const breaker = new CircuitBreaker();
  const dispatcher = new Dispatcher({
    store: storeOfDispatcher(store),
    sender,
    queue: queues.deliveries,
    clock,
    random: () => 0.5,
    retryPolicies: { standard: retryPolicy, cloudevents: retryPolicy, "mcp-events": retryPolicy },
    disablePolicies: { standard: disablePolicy, cloudevents: disablePolicy, "mcp-events": disablePolicy },
    subscriptionWebhookId: "event",
    signingKeys: [],
    testReceivers: () => [receiver.url],
    limits,
    breaker,
    emit,
  });
  onTestFinished(async () => {
    await Promise.all([dispatcher.stop(0), receiver.close()]);
    await sender.close();
    await store.close();
  });

  async function finishTask({
    clients = ["client-1"],
    taskId = "task-1",
    url = `${receiver.url}/hook`,
    notAfter = null as number | null,
    principal = "local",
  } = {}) {
    // At the same time: they share one wait for the disk.
    await Promise.all(
      clients.map((clientId) => store.registerCallback(aRegistration({ principal, taskId, clientId, url, notAfter }))),
    );
    await store.startTask(aStart({ principal, taskId }));
    const [task] = await store.claimRunnableTasks({ limit: 1, now: clock.now() });
    const finished = await store.finishTask({
      id: task!.id,
      outcome: { status: "completed", result: "done" },
      now: clock.now(),
    });
    return finished!.event;
  }
  const emitted = <Kind extends TelemetryEvent["kind"]>(kind: Kind) =>
    announcements.filter((one): one is Extract<TelemetryEvent, { kind: Kind }> => one.kind === kind);
  const attempts = (count: number) => until(`${count} attempts`, () => emitted("delivery.attempted").length >= count);
  async function delivery(taskId = "task-1") {
    return (await store.deliveryHistory("local", taskId))[0]!.deliveries[0]!;
  }
  return { clock, store, receiver, dispatcher, emit, announcements, finishTask, emitted, attempts, delivery };
}

test("a finished task is POSTed to each callback, signed, and the event is settled once", async () => {
  const { dispatcher, receiver, finishTask, emitted, delivery } = await setUp();
  dispatcher.start();
  const event = await finishTask({ clients: ["a", "b", "c"] });
  const requests = await receiver.waitFor(3);
  for (const { headers, body, method, path } of requests) {
    expect([method, path, headers["content-type"], headers["webhook-id"]]).toEqual([
      "POST",
      "/hook",
      "application/json",
      event.id,
    ]);
    expect(new Webhook(A_SECRET).verify(body, headers as Record<string, string>)).toMatchObject({
      type: "task_completed",
    });
  }
  const clients = requests.map(({ body }) => (JSON.parse(body) as { data: { client_id: string } }).data.client_id);
  expect(clients.toSorted()).toEqual(["a", "b", "c"]);
  await until("the event is settled", () => emitted("event.settled").length === 1);
  expect(await delivery()).toMatchObject({ status: "delivered", attemptCount: 1 });
});

test("a failed attempt is retried after its wait, with the same id and body and a new signature", async () => {
  const { dispatcher, receiver, finishTask, emitted, attempts, delivery, clock } = await setUp({
    waitsMs: [5000, 60_000],
  });
  receiver.respondWith(503, "busy");
  dispatcher.start();
  await finishTask();
  await attempts(1);
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now() + 5000 });
  await until("the one timer is set", () => clock.sleeping === 1);

  receiver.respondWith(204);
  clock.advance(4999);
  clock.advance(1);
  await attempts(2);
  const [first, second] = receiver.requests;
  expect(second!.headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
  expect(second!.body).toBe(first!.body);
  expect(Number(second!.headers["webhook-timestamp"])).toBeGreaterThanOrEqual(
    Number(first!.headers["webhook-timestamp"]) + 5,
  );
  expect(second!.headers["webhook-signature"]).not.toBe(first!.headers["webhook-signature"]);
  for (const { body, headers } of [first!, second!])
    expect(new Webhook(A_SECRET).verify(body, headers as Record<string, string>)).toBeTruthy();
  expect(await delivery()).toMatchObject({
    status: "delivered",
    attempts: [{ statusCode: 503, error: "http_5xx" }, { statusCode: 204 }],
  });
  expect(emitted("delivery.attempted").map(({ next }) => next)).toEqual(["retry", "delivered"]);
});

test("Retry-After delays the next attempt, within the attempts of the schedule", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock } = await setUp({ waitsMs: [100] });
  receiver.respondWith(503, "busy", { "retry-after": "60" });
  dispatcher.start();
  await finishTask();
  await attempts(1);
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now() + 60_000 });
  await until("the one timer is set", () => clock.sleeping === 1);
  clock.advance(59_999);
  expect(receiver.requests).toHaveLength(1);
  await until("the one timer is set again", () => clock.sleeping === 1);
  clock.advance(1);
  await attempts(2);
  expect(await delivery()).toMatchObject({ status: "exhausted", attemptCount: 2 });
});

test.each([429, 503])(
  "Retry-After of a %i holds the other deliveries to that URL, and no other URL of the host",
  async (status) => {
    const { dispatcher, receiver, finishTask, attempts, delivery, clock, emitted } = await setUp({
      limits: { total: 1, perOrigin: 1 },
    });
    receiver.respondWith((request, response) =>
      request.path === "/busy"
        ? void response.writeHead(status, { "retry-after": "60" }).end()
        : void response.writeHead(204).end(),
    );
    const startedAt = clock.now();
    for (const taskId of ["task-1", "task-2", "task-3"]) await finishTask({ taskId, url: `${receiver.url}/busy` });
    await finishTask({ taskId: "other", url: `${receiver.url}/fine` });
    dispatcher.start();
    await attempts(2);
    expect(receiver.requests.map(({ path }) => path)).toEqual(["/busy", "/fine"]);
    for (const taskId of ["task-2", "task-3"])
      await until("it is held", async () => (await delivery(taskId)).nextAttemptAt === startedAt + 60_000);
    expect(await delivery("task-2")).toMatchObject({ status: "pending", attemptCount: 0 });
    receiver.respondWith(204);
    await until("the one timer is set", () => clock.sleeping === 1);
    clock.advance(60_000);
    await until(
      "all are delivered",
      () => emitted("delivery.attempted").filter(({ next }) => next === "delivered").length === 4,
    );
  },
);

test("a redelivery is sent at once where the receiver has asked for time, and a success ends the wait for the other deliveries", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, store } = await setUp({ waitsMs: [] });
  receiver.respondWith(503, "", { "retry-after": "86400" });
  await finishTask();
  dispatcher.start();
  await attempts(1);
  const { id, status } = await delivery();
  expect(status).toBe("exhausted");
  receiver.respondWith(204);
  const now = clock.now();
  await store.redeliver({ principal: "local", selection: { deliveryId: id }, now });
  await attempts(2);
  expect(await delivery()).toMatchObject({ status: "delivered" });
  await finishTask({ taskId: "task-2" });
  await attempts(3);
  expect(await delivery("task-2")).toMatchObject({ status: "delivered" });
});

describe("while the name of a receiver is looked up", () => {
  async function lookingUp() {
    const { promise: addresses, resolve: answer } = Promise.withResolvers<readonly ResolvedAddress[]>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const resolve: Resolve = () => {
      ask();
      return addresses;
    };
    const served = await setUp({ resolve });
    served.dispatcher.start();
    await served.finishTask({ url: `http://slow.example:${served.receiver.port}/hook` });
    await asked;
    return { ...served, answer: () => answer([{ address: "127.0.0.1", family: 4 }]) };
  }

  test("nothing else is done with the delivery: it is sent when its addresses are known", async () => {
    const { answer, receiver, attempts, delivery } = await lookingUp();
    answer();
    await attempts(1);
    expect([receiver.requests.length, (await delivery()).status]).toEqual([1, "delivered"]);
  });

  test("a callback that is unregistered gets no POST", async () => {
    const { answer, receiver, store, delivery, clock, finishTask, attempts } = await lookingUp();
    const [entry] = await store.deliveryHistory("local", "task-1");
    await store.unregisterCallback({
      principal: "local",
      callback: { callbackId: entry!.callback.id },
      now: clock.now(),
    });
    answer();
    await finishTask({ taskId: "task-2" });
    await attempts(1);
    expect((await delivery()).status).toBe("cancelled");
    expect(receiver.requests).toHaveLength(1);
  });

  test("a stop starts no attempt", async () => {
    const { answer, receiver, dispatcher, emitted } = await lookingUp();
    await dispatcher.stop(0);
    answer();
    expect([receiver.requests, emitted("delivery.sending")]).toEqual([[], []]);
  });
});

test("a short retry keeps its claim and releases its slot during the wait", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock } = await setUp({
    waitsMs: [100],
    limits: { total: 1, perOrigin: 1 },
  });
  receiver.respondWith(503);
  dispatcher.start();
  await finishTask();
  await attempts(1);
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now() + 100 });
  receiver.respondWith(200);
  await finishTask({ taskId: "task-2" });
  await attempts(2);
  expect(await delivery("task-2")).toMatchObject({ status: "delivered" });
  await until("the short wait and the timer sleep", () => clock.sleeping >= 1);
  clock.advance(100);
  await attempts(3);
  expect(await delivery()).toMatchObject({ status: "delivered", attemptCount: 2 });
});

test("slow receivers do not keep slots from other receivers", async () => {
  const { dispatcher, receiver, finishTask, clock } = await setUp({ limits: { total: 4, perOrigin: 2 } });
  const slow = await Promise.all([startReceiver(() => {}), startReceiver(() => {})]);
  onTestFinished(async () => void (await Promise.all(slow.map((one) => one.close()))));
  dispatcher.start();
  for (const [index, { url }] of slow.entries()) {
    await finishTask({ taskId: `slow-${index}`, clients: ["a", "b", "c"], url });
  }
  await Promise.all(slow.map((one) => one.waitFor(2)));
  await finishTask({ clients: ["x", "y", "z"] });
  await until("the timer for a free slot is set", () => clock.sleeping === 1);
  expect(receiver.requests).toHaveLength(0);
  clock.advance(250);
  await receiver.waitFor(3);
  expect(slow.map(({ requests }) => requests.length)).toEqual([2, 2]);
});

test("a principal whose receivers all hang holds up no delivery of another principal", async () => {
  const { dispatcher, receiver, finishTask } = await setUp({ limits: { total: 4, perOrigin: 4, isShared: true } });
  const hanging = await Promise.all(Array.from({ length: 5 }, () => startReceiver(() => {})));
  onTestFinished(async () => void (await Promise.all(hanging.map((one) => one.close()))));
  dispatcher.start();
  for (const [index, { url }] of hanging.entries())
    await finishTask({ principal: "bob", taskId: `t${index}`, clients: ["a", "b", "c"], url });
  await until("bob has its share", () => hanging.reduce((sum, { requests }) => sum + requests.length, 0) === 3);
  // No time passes: no slot of bob's becomes free.
  await finishTask({ principal: "alice", clients: ["x"] });
  await receiver.waitFor(1);
});

test("the circuit of one principal at a shared host keeps no delivery of another principal there", async () => {
  const { dispatcher, receiver, finishTask, emitted } = await setUp({
    limits: { total: 8, perOrigin: 4, isShared: true },
  });
  receiver.respondWith((request, response) => void response.writeHead(request.path === "/bob" ? 503 : 204).end());
  dispatcher.start();
  const clients = Array.from({ length: 110 }, (_, index) => `c${index}`);
  await finishTask({ principal: "bob", clients, url: `${receiver.url}/bob` });
  await until("the circuit opens", () => emitted("origin.circuit_opened").length === 1);
  await finishTask({ principal: "alice", clients: ["x", "y"], url: `${receiver.url}/alice` });
  await until(
    "alice's are delivered",
    () => emitted("delivery.attempted").filter(({ next }) => next === "delivered").length === 2,
  );
  expect(receiver.requests.filter(({ path }) => path === "/alice")).toHaveLength(2);
});

test("many short retries of a slow origin do not hold up another origin", async () => {
  const { dispatcher, receiver, finishTask, attempts, clock, emitted } = await setUp({ waitsMs: [100, 100] });
  receiver.respondWith(503);
  dispatcher.start();
  await finishTask({ clients: Array.from({ length: 40 }, (_, index) => `c${index}`) });
  await attempts(40);
  // Now it hangs: its retries fill its own slots, and the others wait in the store.
  receiver.respondWith(() => {});
  clock.advance(100);
  await until("the slow origin has all its slots", () => receiver.requests.length === 44);
  const fine = await startReceiver();
  onTestFinished(() => fine.close());
  await finishTask({ taskId: "task-2", clients: ["other"], url: fine.url });
  await fine.waitFor(1);
  await until("it is delivered", () =>
    emitted("delivery.attempted").some(({ clientId, next }) => clientId === "other" && next === "delivered"),
  );
});

test("short retries that end during a claim leave it the slots that it has counted", async () => {
  let held: PromiseWithResolvers<void> | null = null;
  let claiming = false;
  const limits = { total: 8, perOrigin: 2 };
  const { dispatcher, receiver, finishTask, attempts, clock, emitted } = await setUp({
    waitsMs: [100, 100],
    limits,
    storeOfDispatcher: (inner) => ({
      ...inner,
      async claimDueDeliveries(command) {
        const claimed = await inner.claimDueDeliveries(command);
        claiming = held !== null;
        await held?.promise;
        return claimed;
      },
    }),
  });
  receiver.respondWith(503);
  dispatcher.start();
  await finishTask({ clients: ["a", "b"] });
  await attempts(2);
  await until("both claims are kept over the wait", () => clock.sleeping === 3);
  receiver.respondWith(() => {});
  held = Promise.withResolvers<void>();
  await finishTask({ taskId: "task-2", clients: ["c", "d"] });
  await until("a pass claims", () => claiming);
  clock.advance(100);
  await until("the short waits are over", () => clock.sleeping === 0);
  // Between a wait and the next try nothing takes more than this turn.
  await nextTurn();
  held.resolve();
  held = null;
  const fine = await startReceiver();
  onTestFinished(() => fine.close());
  await finishTask({ taskId: "task-3", clients: ["other"], url: fine.url });
  await fine.waitFor(1);
  const sending = emitted("delivery.sending").filter(({ url }) => url.startsWith(receiver.url));
  expect(sending.length - emitted("delivery.attempted").filter(({ url }) => url.startsWith(receiver.url)).length).toBe(
    2,
  );
});

test("a delivery whose claim became invalid during a short wait is not sent again", async () => {
  const resumed: boolean[] = [];
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, store } = await setUp({
    waitsMs: [100],
    storeOfDispatcher: (inner) => ({
      ...inner,
      async continueClaim(claim) {
        resumed.push(await inner.continueClaim(claim));
        return resumed.at(-1)!;
      },
    }),
  });
  receiver.respondWith(503);
  dispatcher.start();
  await finishTask();
  await attempts(1);
  // A later claim makes the claim of the dispatcher invalid.
  await store.recoverInterrupted(clock.now());
  await store.claimDueDeliveries(aClaim({ now: clock.now() + 100, limit: 1, perOrigin: 1 }));
  await until("the claim is found to be invalid", () => {
    clock.advance(100);
    return resumed.length > 0;
  });
  expect(resumed).toEqual([false]);
  expect(receiver.requests).toHaveLength(1);
  expect((await delivery()).status).toBe("sending");
});

const KEY = { taskId: "task-1", clientId: "client-1" };

test.each([
  ["short", 100],
  ["long", 5000],
])("a callback that is unregistered during a %s wait gets nothing more", async (_, waitMs) => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, store, emitted } = await setUp({
    waitsMs: [waitMs, waitMs],
  });
  receiver.respondWith(503);
  dispatcher.start();
  await finishTask();
  await attempts(1);
  const callback = { ...KEY, url: `${receiver.url}/hook` };
  await store.unregisterCallback({ principal: "local", callback, now: clock.now() });
  clock.advance(waitMs);
  // The POST of a later task arrives, so an earlier one would have arrived too.
  receiver.respondWith(204);
  await finishTask({ taskId: "task-2", url: `${receiver.url}/other` });
  await receiver.waitFor(({ path }) => path === "/other");
  await attempts(2);
  expect(receiver.requests.map(({ path }) => path)).toEqual(["/hook", "/other"]);
  expect(await delivery()).toMatchObject({ status: "cancelled", attemptCount: 1 });
  expect(emitted("delivery.attempted")).toHaveLength(2);
});

test("an attempt in flight when its callback is unregistered is recorded, and no other follows", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, store, emitted } = await setUp({
    waitsMs: [0, 0],
  });
  const arrived = Promise.withResolvers<() => void>();
  receiver.respondWith((_, response) => arrived.resolve(() => response.writeHead(503).end()));
  dispatcher.start();
  await finishTask();
  const release = await arrived.promise;
  const callback = { ...KEY, url: `${receiver.url}/hook` };
  await store.unregisterCallback({ principal: "local", callback, now: clock.now() });
  release();
  await attempts(1);
  expect(emitted("delivery.attempted")).toMatchObject([{ next: "withdrawn" }]);
  expect(await delivery()).toMatchObject({ status: "cancelled", attempts: [{ number: 1, statusCode: 503 }] });
});

test("a redelivered delivery has a new schedule, with the same id and body, and its attempt numbers go on", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, store, emitted } = await setUp({
    waitsMs: [5000],
  });
  receiver.respondWith(500);
  dispatcher.start();
  await finishTask();
  const advanceTo = async (count: number) => {
    await until("the one timer is set", () => clock.sleeping === 1);
    clock.advance(5000);
    await attempts(count);
  };
  await attempts(1);
  await advanceTo(2);
  expect(await delivery()).toMatchObject({ status: "exhausted", attemptCount: 2 });
  const { id: deliveryId } = await delivery();
  await store.redeliver({ principal: "local", selection: { deliveryId }, now: clock.now() });
  await attempts(3);
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now() + 5000 });
  await advanceTo(4);
  expect(emitted("delivery.attempted").map(({ attempt, next }) => [attempt, next])).toEqual([
    [1, "retry"],
    [2, "gave_up"],
    [3, "retry"],
    [4, "gave_up"],
  ]);
  const [first, ...others] = receiver.requests;
  for (const { headers, body } of others) {
    expect([headers["webhook-id"], body]).toEqual([first!.headers["webhook-id"], first!.body]);
    expect(new Webhook(A_SECRET).verify(body, headers as Record<string, string>)).toBeTruthy();
  }
  expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-timestamp"])).size).toBe(3);
});

test("redelivering a delivery that waits uses up nothing of its schedule", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, store } = await setUp({
    waitsMs: [5000, 60_000],
  });
  receiver.respondWith(500);
  dispatcher.start();
  await finishTask();
  for (let tries = 1; tries <= 4; tries++) {
    await attempts(tries);
    expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now() + 5000 });
    const { id: deliveryId } = await delivery();
    await store.redeliver({ principal: "local", selection: { deliveryId }, now: clock.now() });
  }
});

test("a delivery that is redelivered while it is sent is sent once more, right after", async () => {
  const { dispatcher, receiver, finishTask, delivery, clock, store, emitted } = await setUp();
  const arrived = Promise.withResolvers<() => void>();
  receiver.respondWith((_, response) => arrived.resolve(() => response.end()));
  dispatcher.start();
  await finishTask();
  const release = await arrived.promise;
  const { id: deliveryId } = await delivery();
  for (let call = 0; call < 3; call++)
    await store.redeliver({ principal: "local", selection: { deliveryId }, now: clock.now() });
  expect(receiver.requests).toHaveLength(1);
  receiver.respondWith(204);
  release();
  await until("the event is settled", () => emitted("event.settled").length === 1);
  expect(receiver.requests).toHaveLength(2);
  expect(await delivery()).toMatchObject({ status: "delivered", attemptCount: 2 });
});

test.each([
  ["short", 1000],
  ["long", 5000],
])(
  "a delivery that is redelivered during an attempt that fails before a %s wait is sent once more, right after",
  async (_, waitMs) => {
    const { dispatcher, receiver, finishTask, delivery, clock, store, emitted } = await setUp({ waitsMs: [waitMs] });
    const arrived = Promise.withResolvers<() => void>();
    receiver.respondWith((__, response) => arrived.resolve(() => response.writeHead(500).end()));
    dispatcher.start();
    await finishTask();
    const release = await arrived.promise;
    const { id: deliveryId } = await delivery();
    await store.redeliver({ principal: "local", selection: { deliveryId }, now: clock.now() });
    receiver.respondWith(204);
    release();
    await until("the event is settled", () => emitted("event.settled").length === 1);
    expect(receiver.requests).toHaveLength(2);
    expect(await delivery()).toMatchObject({ status: "delivered", attemptCount: 2 });
    expect(emitted("delivery.attempted")).toMatchObject([
      { next: "redelivered", waitMs: null },
      { next: "delivered", waitMs: null },
    ]);
  },
);

test("when the schedule is used up the delivery is exhausted, with its last error", async () => {
  const { dispatcher, receiver, finishTask, emitted, delivery } = await setUp({ waitsMs: [] });
  receiver.respondWith(500);
  dispatcher.start();
  await finishTask();
  await until("the event is settled", () => emitted("event.settled").length === 1);
  expect(await delivery()).toMatchObject({ status: "exhausted", attemptCount: 1, attempts: [{ error: "http_5xx" }] });
  expect(emitted("delivery.attempted")).toMatchObject([{ next: "gave_up", attempt: 1 }]);
});

test("an address that is refused is not tried again", async () => {
  const { dispatcher, finishTask, emitted, delivery } = await setUp();
  dispatcher.start();
  await finishTask({ url: "http://10.1.2.3/hook" });
  await until("the event is settled", () => emitted("event.settled").length === 1);
  expect(await delivery()).toMatchObject({ status: "exhausted", attempts: [{ statusCode: null, error: "blocked" }] });
});

test.each([
  [410, "disabled"],
  [413, "active"],
])("%i ends the delivery at its first attempt and leaves the callback %s", async (code, callbackStatus) => {
  const { dispatcher, receiver, finishTask, emitted, delivery, store } = await setUp({ waitsMs: [100, 100] });
  receiver.respondWith(code);
  dispatcher.start();
  await finishTask();
  await until("the event is settled", () => emitted("event.settled").length === 1);
  expect(await delivery()).toMatchObject({ status: "exhausted", reason: null, attempts: [{ statusCode: code }] });
  expect((await store.deliveryHistory("local", "task-1"))[0]!.callback.status).toBe(callbackStatus);
  expect(receiver.requests).toHaveLength(1);
});

test("the response body is in no telemetry and in no history", async () => {
  const { dispatcher, receiver, finishTask, emitted, store } = await setUp({ waitsMs: [] });
  receiver.respondWith(500, "stack trace with a password");
  dispatcher.start();
  await finishTask();
  await until("the event is settled", () => emitted("event.settled").length === 1);
  const shown = JSON.stringify([emitted("delivery.attempted"), await store.deliveryHistory("local", "task-1")]);
  expect(shown).toContain("http_5xx");
  expect(shown).not.toContain("password");
});

describe("not_after", () => {
  test("shortens the wait to one last attempt before it; then the delivery is exhausted for that reason", async () => {
    const { dispatcher, receiver, finishTask, emitted, attempts, delivery, clock } = await setUp({
      waitsMs: [60_000, 60_000],
    });
    receiver.respondWith(503);
    dispatcher.start();
    await finishTask({ notAfter: clock.now() + 10_000 });
    await attempts(1);
    expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now() + 9000 });
    await until("the one timer is set", () => clock.sleeping === 1);
    clock.advance(9000);
    await attempts(2);
    expect(await delivery()).toMatchObject({ status: "exhausted", reason: "not_after", attemptCount: 2 });
    expect(emitted("delivery.attempted").map(({ next }) => next)).toEqual(["retry", "gave_up"]);
    expect(emitted("event.settled")).toHaveLength(1);
    clock.advance(3_600_000);
    expect(receiver.requests).toHaveLength(2);
  });

  test("ends a delivery that waits for a slot, by the one timer and without an attempt", async () => {
    const { dispatcher, receiver, finishTask, emitted, delivery, clock } = await setUp({
      limits: { total: 1, perOrigin: 1 },
    });
    const arrived = Promise.withResolvers<() => void>();
    receiver.respondWith((_, response) => arrived.resolve(() => response.end()));
    dispatcher.start();
    await finishTask({ taskId: "slow" });
    const release = await arrived.promise;
    await finishTask({ url: `${receiver.url}/hook?token=hidden`, notAfter: clock.now() + 30_000 });
    await until("the one timer is set", () => clock.sleeping === 1);
    expect(await delivery()).toMatchObject({ status: "pending", reason: null });
    clock.advance(30_000);
    await until("the event is settled", () => emitted("event.settled").length === 1);
    expect(await delivery()).toMatchObject({ status: "exhausted", reason: "not_after", attempts: [] });
    expect(emitted("delivery.expired")).toMatchObject([
      { taskId: "task-1", attempts: 0, reason: "not_after", url: `${receiver.url}/hook` },
    ]);
    release();
    await until("the slow delivery is over", () => emitted("event.settled").length === 2);
    expect(receiver.requests).toHaveLength(1);
  });

  test("ends a short retry that waits too long for a slot", async () => {
    const { dispatcher, receiver, finishTask, emitted, attempts, delivery, clock } = await setUp({
      waitsMs: [100],
      limits: { total: 1, perOrigin: 1 },
    });
    const held = Promise.withResolvers<() => void>();
    receiver.respondWith(503);
    dispatcher.start();
    await finishTask({ notAfter: clock.now() + 5000 });
    await attempts(1);
    receiver.respondWith((_, response) => held.resolve(() => response.end()));
    await finishTask({ taskId: "slow" });
    const release = await held.promise;
    await until("the short wait sleeps", () => clock.sleeping >= 1);
    clock.advance(100);
    clock.advance(4900);
    release();
    await until("both events are settled", () => emitted("event.settled").length === 2);
    expect(await delivery()).toMatchObject({ status: "exhausted", reason: "not_after", attemptCount: 1 });
    expect(receiver.requests).toHaveLength(2);
  });

  test("before the end of the task leaves nothing to send, and history has the reason", async () => {
    const { dispatcher, receiver, finishTask, emitted, delivery, clock } = await setUp();
    dispatcher.start();
    await finishTask({ notAfter: clock.now() - 1 });
    await until("the event is settled", () => emitted("event.settled").length === 1);
    expect(await delivery()).toMatchObject({ status: "exhausted", reason: "not_after", attempts: [] });
    expect(receiver.connections).toBe(0);
  });

  test("ends all deliveries, also more than one pass takes", async () => {
    const { dispatcher, finishTask, emitted, clock } = await setUp();
    const clients = Array.from({ length: 501 }, (_, index) => `client-${index}`);
    dispatcher.start();
    await finishTask({ clients, notAfter: clock.now() - 1 });
    await until("the event is settled", () => emitted("event.settled").length === 1);
    expect(emitted("delivery.expired")).toHaveLength(501);
  });
});

test("requests in flight keep to the limits, in all and for one origin", async () => {
  const { dispatcher, receiver, finishTask, emitted } = await setUp({ limits: { total: 3, perOrigin: 2 } });
  const held: (() => void)[] = [];
  receiver.respondWith((_, response) => void held.push(() => response.end()));
  const other = await startReceiver((_, response) => void held.push(() => response.end()));
  onTestFinished(() => other.close());
  dispatcher.start();
  await finishTask({ clients: ["a", "b", "c", "d"] });
  await receiver.waitFor(2);
  await finishTask({ taskId: "task-2", clients: ["e", "f"], url: other.url });
  await other.waitFor(1);
  expect([receiver.requests.length, other.requests.length]).toEqual([2, 1]);
  await until("all six are over", () => {
    for (const release of held.splice(0)) release();
    return emitted("delivery.attempted").length === 6;
  });
  expect(emitted("delivery.attempted").every(({ next }) => next === "delivered")).toBe(true);
});

test("a store that fails to record is retried: no request is repeated and no attempt is lost", async () => {
  let failures = 2;
  const { dispatcher, receiver, finishTask, emitted, delivery, clock } = await setUp({
    storeOfDispatcher: (store) => ({
      ...store,
      async recordAttempt(command) {
        if (failures-- > 0) throw new StoreUnavailable("disk full");
        return store.recordAttempt(command);
      },
    }),
  });
  dispatcher.start();
  await finishTask();
  await until("it is recorded", () => {
    clock.advance(1000);
    return emitted("event.settled").length === 1;
  });
  expect(receiver.requests).toHaveLength(1);
  expect(emitted("internal.failed")).toHaveLength(2);
  expect(await delivery()).toMatchObject({ status: "delivered", attemptCount: 1 });
});

test("an internal failure is not charged to the receiver: the delivery is due again after a minute", async () => {
  let faults = 1;
  const { dispatcher, receiver, finishTask, emitted, delivery, clock } = await setUp({
    storeOfDispatcher: (store) => ({
      ...store,
      async recordAttempt(command) {
        if (faults-- > 0) throw new TypeError("a bug");
        return store.recordAttempt(command);
      },
    }),
  });
  dispatcher.start();
  await finishTask();
  await until("the failure is reported", () => emitted("internal.failed").length === 1);
  await until("the delivery is pending", async () => (await delivery()).status === "pending");
  expect(await delivery()).toMatchObject({ attemptCount: 0, nextAttemptAt: clock.now() + 60_000 });
  await until("the timer is set", () => clock.sleeping === 1);
  clock.advance(60_000);
  await until("it is delivered", async () => (await delivery()).status === "delivered");
  expect(receiver.requests).toHaveLength(2);
});

test("a claim that an internal failure left and that cannot be released is reported, and ends at the next start", async () => {
  const failing = async () => {
    throw new TypeError("a bug");
  };
  const { dispatcher, finishTask, emitted, delivery, store, clock } = await setUp({
    storeOfDispatcher: (it) => ({ ...it, recordAttempt: failing, releaseClaim: failing }),
  });
  dispatcher.start();
  await finishTask();
  await until("both failures are reported", () => emitted("internal.failed").length === 2);
  const { id } = await delivery();
  expect(emitted("internal.failed").map(({ where }) => where)).toEqual([`delivery ${id}`, `release of delivery ${id}`]);
  await dispatcher.stop(0);
  await store.recoverInterrupted(clock.now());
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: clock.now(), attemptCount: 0 });
});

test("a stop lets the attempt in flight finish and starts no other", async () => {
  const { dispatcher, receiver, finishTask, delivery, store } = await setUp({ limits: { total: 1, perOrigin: 1 } });
  const arrived = Promise.withResolvers<() => void>();
  receiver.respondWith((_, response) => arrived.resolve(() => response.end()));
  dispatcher.start();
  await finishTask({ clients: ["a", "b"] });
  const release = await arrived.promise;
  const stopped = dispatcher.stop(60_000);
  release();
  await stopped;
  expect(receiver.requests).toHaveLength(1);
  const statuses = (await store.deliveryHistory("local", "task-1")).map(({ deliveries }) => deliveries[0]!.status);
  expect(statuses).toEqual(["delivered", "pending"]);
  expect((await delivery()).attemptCount).toBe(1);
});

test("an attempt that outlasts the grace is cut off, and made again with the same number", async () => {
  const { dispatcher, receiver, finishTask, delivery, store, clock } = await setUp();
  receiver.respondWith(() => {});
  dispatcher.start();
  await finishTask();
  await receiver.waitFor(1);
  const stopped = dispatcher.stop(3000);
  await until("the grace runs", () => clock.sleeping > 0);
  clock.advance(3000);
  await stopped;
  expect(await delivery()).toMatchObject({ status: "sending", attemptCount: 0 });
  await store.recoverInterrupted(clock.now());
  expect(await delivery()).toMatchObject({ status: "pending", attemptCount: 0 });
});

/** It holds all responses until it is released. */
function hold(receiver: Receiver): { release(): void } {
  const held: ServerResponse[] = [];
  receiver.respondWith((_, response) => void held.push(response));
  return {
    release() {
      receiver.respondWith(204);
      for (const response of held) response.writeHead(204).end();
    },
  };
}

describe("the deliveries of a task's end", () => {
  type Ended = Awaited<ReturnType<EndTask>>;

  /** A dispatcher at rest, and the end of a task whose deliveries may be sent without a pass. `beforeAnswer`: called when the store has ended it. */
  async function atRest(options: Options = {}) {
    let passClaims = 0;
    const storeOfDispatcher = (store: Store): Store => ({
      ...store,
      async claimDueDeliveries(command) {
        const claimed = await store.claimDueDeliveries(command);
        passClaims += claimed.length;
        return claimed;
      },
    });
    const all = await setUp({ ...options, storeOfDispatcher });
    const { store, clock, receiver, dispatcher, emit } = all;
    const rest = () => until("it sleeps", () => clock.sleeping === 1);
    dispatcher.start();
    await rest();
    const endTask = createTaskEnd({
      emit,
      openReservation: () => dispatcher.openReservation(),
    });
    async function running(taskId: string, clients: readonly string[], url = `${receiver.url}/hook`): Promise<Task> {
      for (const clientId of clients) await store.registerCallback(aRegistration({ taskId, clientId, url }));
      await store.startTask(aStart({ taskId }));
      const [task] = await store.claimRunnableTasks({ limit: 1, now: clock.now() });
      return task!;
    }
    function end(task: Task, beforeAnswer = async (ended: Ended): Promise<Ended> => ended) {
      const outcome = { status: "completed", result: "done" } as const;
      const command = { id: task.id, outcome, now: clock.now() };
      return endTask(task, async (reserveSlot) => beforeAnswer(await store.finishTask({ ...command, reserveSlot })));
    }
    const settled = (count: number) => until(`${count} events`, () => all.emitted("event.settled").length >= count);
    return { ...all, rest, running, end, endTask, settled, passClaims: () => passClaims };
  }

  test("are sent without a claim of their own, signed, after the store has answered and the end is announced", async () => {
    const { running, end, receiver, settled, passClaims, delivery, announcements } = await atRest();
    const task = await running("task-1", ["a", "b"]);
    await end(task, async (ended) => {
      expect(await delivery()).toMatchObject({ status: "sending", attemptCount: 0 });
      expect([receiver.connections, announcements.length]).toEqual([0, 0]);
      return ended;
    });
    for (const { headers, body } of await receiver.waitFor(2))
      expect(new Webhook(A_SECRET).verify(body, headers as Record<string, string>)).toBeTruthy();
    await settled(1);
    expect([passClaims(), receiver.requests.length]).toEqual([0, 2]);
    expect(announcements[0]).toMatchObject({ kind: "task.finished", deliveryCount: 2 });
  });

  test("take the free slots; the others are claimed by passes as slots are released", async () => {
    const { running, end, receiver, settled, passClaims } = await atRest({ limits: { total: 8, perOrigin: 4 } });
    const clients = Array.from({ length: 10 }, (_, index) => `c${index}`);
    await end(await running("task-1", clients));
    await settled(1);
    expect([receiver.requests.length, passClaims()]).toEqual([10, 6]);
  });

  test("wait behind earlier deliveries to the same origin, and behind no others", async () => {
    const { rest, running, end, receiver, settled, passClaims } = await atRest({ limits: { total: 8, perOrigin: 1 } });
    const other = await startReceiver();
    onTestFinished(() => other.close());
    const held = hold(receiver);
    await end(await running("task-1", ["a", "b"]));
    await receiver.waitFor(1);
    await rest();
    await end(await running("task-2", ["c"], other.url));
    await end(await running("task-3", ["d"]));
    await settled(1);
    expect([other.requests.length, receiver.requests.length, passClaims()]).toEqual([1, 1, 0]);
    held.release();
    await settled(3);
    const taskIds = receiver.requests.map(
      ({ body }) => (JSON.parse(body) as { data: { task_id: string } }).data.task_id,
    );
    expect([taskIds, passClaims()]).toEqual([["task-1", "task-1", "task-3"], 2]);
  });

  const ONE_SLOT = { limits: { total: 1, perOrigin: 1 } };

  test.each<[string, () => Ended]>([
    [
      "whose commit fails",
      () => {
        throw new StoreUnavailable("disk full");
      },
    ],
    ["of a task that had ended before", () => null],
  ])("of an end %s leave no slot taken", async (_, answer) => {
    const { running, end, endTask, receiver, settled, passClaims } = await atRest(ONE_SLOT);
    const [first, second] = [await running("task-1", ["a"]), await running("task-2", ["b"])];
    const failing = endTask(first, async (reserveSlot) => {
      expect([reserveSlot(receiver.url), reserveSlot(receiver.url)]).toEqual([true, false]);
      return answer();
    });
    await Promise.allSettled([failing]);
    await end(second);
    await settled(1);
    expect([receiver.requests.length, passClaims()]).toEqual([1, 0]);
  });

  test("hold one slot after a transaction that was rolled back for another command and run again", async () => {
    const { store, running, end, receiver, settled, rest } = await atRest(ONE_SLOT);
    const [first, second] = [await running("task-1", ["a"]), await running("task-2", ["b"])];
    await store.registerCallback(aRegistration({ taskId: "task-3", events: ["task_failed"] }));
    const ended = end(first);
    const refused = store.startTask({
      ...aStart({ taskId: "task-3" }),
      callbacks: [aRegistration({ taskId: "task-3" })],
    });
    await expect(refused).rejects.toMatchObject({ index: 0 });
    await ended;
    await settled(1);
    await end(second);
    await settled(2);
    await rest();
    expect(receiver.requests).toHaveLength(2);
  });

  test("are not sent once the dispatcher stops, and the next start finds those that were claimed", async () => {
    const { dispatcher, running, end, receiver, store, clock, delivery } = await atRest();
    await end(await running("task-1", ["a"]), async (ended) => {
      await dispatcher.stop(0);
      return ended;
    });
    await end(await running("task-2", ["b"]));
    expect(await delivery("task-1")).toMatchObject({ status: "sending", attemptCount: 0 });
    expect(await delivery("task-2")).toMatchObject({ status: "pending", attemptCount: 0 });
    await store.recoverInterrupted(clock.now());
    expect(await delivery("task-1")).toMatchObject({ status: "pending", attemptCount: 0 });
    expect(receiver.connections).toBe(0);
  });
});

test("a delivery that is redelivered while it is sent successfully is sent again at once", async () => {
  const { dispatcher, receiver, finishTask, store, clock, emitted, delivery } = await setUp();
  const held = hold(receiver);
  dispatcher.start();
  await finishTask();
  await receiver.waitFor(1);
  const { id: deliveryId } = await delivery();
  await store.redeliver({ principal: "local", selection: { deliveryId }, now: clock.now() });
  held.release();
  await receiver.waitFor(2);
  await until("both are recorded", () => emitted("delivery.attempted").length === 2);
});

describe("a claimed delivery", () => {
  /** The answers to claims wait for `disk`. */
  async function withSlowDisk(changed: (delivery: ClaimedDelivery) => ClaimedDelivery = (it) => it) {
    const disk = Promise.withResolvers<void>();
    const storeOfDispatcher = (store: Store): Store => ({
      ...store,
      async claimDueDeliveries(command) {
        const claimed = (await store.claimDueDeliveries(command)).map(changed);
        if (claimed.length > 0) await disk.promise;
        return claimed;
      },
    });
    return { ...(await setUp({ storeOfDispatcher })), disk };
  }
  async function whenClaimed(store: Store) {
    await until("it is claimed", async () => {
      const [callback] = await store.deliveryHistory("local", "task-1");
      return callback?.deliveries[0]?.status === "sending";
    });
  }

  test("is sent after the store has answered, signed with the time of the attempt", async () => {
    const { dispatcher, receiver, finishTask, store, disk, clock } = await withSlowDisk();
    dispatcher.start();
    await finishTask();
    await whenClaimed(store);
    expect(receiver.requests).toEqual([]);
    clock.advance(2000);
    disk.resolve();
    const [request] = await receiver.waitFor(1);
    expect(request!.headers["webhook-timestamp"]).toBe(String(Math.floor(clock.now() / 1000)));
    new Webhook(A_SECRET).verify(request!.body, request!.headers as Record<string, string>);
  });

  test("without a readable secret is reported as an internal failure, and holds up no other delivery", async () => {
    const unreadable = (it: ClaimedDelivery): ClaimedDelivery =>
      it.callback.clientId === "a" ? { ...it, callback: { ...it.callback, signingSecrets: [] } } : it;
    const { dispatcher, receiver, finishTask, emitted, disk } = await withSlowDisk(unreadable);
    disk.resolve();
    dispatcher.start();
    await finishTask({ clients: ["a", "b"] });
    await receiver.waitFor(1);
    await until("the failure is reported", () => emitted("internal.failed").length === 1);
    expect(String(emitted("internal.failed")[0]?.error)).toContain("no readable secret");
    expect(receiver.requests).toHaveLength(1);
  });
});

test("nothing polls: an idle dispatcher sleeps and reads nothing", async () => {
  let reads = 0;
  const { dispatcher, clock } = await setUp({
    storeOfDispatcher: (store) => ({
      ...store,
      async claimDueDeliveries(command) {
        reads++;
        return store.claimDueDeliveries(command);
      },
    }),
  });
  dispatcher.start();
  await until("it sleeps", () => clock.sleeping === 1);
  for (let minute = 0; minute < 60; minute++) {
    clock.advance(60_000);
    await nextTurn();
    await until("it sleeps again", () => clock.sleeping === 1);
  }
  expect(reads).toBe(1);
});

test.each([
  ["long", 5000],
  ["short", 1000],
])(
  "an origin that keeps failing gets one probe at a time, its schedules of %s waits stand still, and after one success all its deliveries are sent",
  async (_, waitMs) => {
    const clients = Array.from({ length: 110 }, (__, index) => `c${index}`);
    let claims = 0;
    const { dispatcher, receiver, finishTask, emitted, clock, store } = await setUp({
      waitsMs: [waitMs, waitMs],
      storeOfDispatcher: (inner) => ({
        ...inner,
        async claimDueDeliveries(command) {
          claims++;
          return inner.claimDueDeliveries(command).finally(() => claims--);
        },
      }),
    });
    const fine = await startReceiver();
    onTestFinished(() => fine.close());
    receiver.respondWith(503);
    dispatcher.start();
    await finishTask({ clients });
    await until("the circuit opens", () => emitted("origin.circuit_opened").length === 1);
    await until(
      "the requests in flight are over, and no pass claims",
      () => claims === 0 && emitted("delivery.attempted").length >= emitted("delivery.sending").length,
    );
    const before = receiver.requests.length;

    // Due and not sent: the circuit of this origin is open, that of the other is not.
    clock.advance(6000);
    await finishTask({ taskId: "task-2", clients: ["other"], url: fine.url });
    await fine.waitFor(1);
    expect(receiver.requests.length).toBe(before);

    receiver.respondWith(204);
    clock.advance(30_000);
    await until(
      "all are delivered",
      () => emitted("delivery.attempted").filter(({ next }) => next === "delivered").length === 111,
    );
    expect(emitted("origin.circuit_closed")).toEqual([{ kind: "origin.circuit_closed", origin: receiver.url }]);
    const counts = (await store.deliveryHistory("local", "task-1")).map(
      ({ deliveries: [delivery] }) => delivery!.attemptCount,
    );
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  },
);

test("a callback that fails for long is disabled and reported once; its deliveries are not sent until it is enabled", async () => {
  const disablePolicy = { forMs: 9000, failuresMin: 2 };
  const { dispatcher, receiver, finishTask, emitted, attempts, delivery, clock, store } = await setUp({
    waitsMs: [5000, 5000, 5000, 5000],
    disablePolicy,
  });
  receiver.respondWith(503);
  dispatcher.start();
  const since = clock.now();
  await finishTask();
  for (const count of [1, 2]) {
    await attempts(count);
    await until("the one timer is set", () => clock.sleeping === 1);
    clock.advance(5000);
  }
  await attempts(3);
  expect(emitted("delivery.attempted").map(({ next, waitMs }) => [next, waitMs])).toEqual([
    ["retry", 5000],
    ["retry", 5000],
    ["held", null],
  ]);
  expect(emitted("callback.disabled")).toMatchObject([
    { clientId: "client-1", reason: "failing", failingSince: since, error: "http_5xx", heldCount: 1 },
  ]);
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: null, attemptCount: 3 });
  clock.advance(1e9);
  // Another callback gets its POST; one for the disabled callback would have come before.
  receiver.respondWith(200);
  await finishTask({ taskId: "task-2" });
  await attempts(4);
  expect(await delivery()).toMatchObject({ status: "pending", attemptCount: 3 });

  const { callbackId } = emitted("callback.disabled")[0]!;
  await store.enableCallback({ principal: "local", callbackId, now: clock.now() });
  await attempts(5);
  expect(await delivery()).toMatchObject({ status: "delivered", attemptCount: 4 });
  expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
  expect(emitted("callback.disabled")).toHaveLength(1);
});

test("no short retry follows an attempt that has disabled the callback", async () => {
  const { dispatcher, receiver, finishTask, attempts, delivery, clock, emitted } = await setUp({
    waitsMs: [100],
    disablePolicy: { forMs: 0, failuresMin: 1 },
  });
  receiver.respondWith(503);
  dispatcher.start();
  await finishTask();
  await attempts(1);
  expect(emitted("callback.disabled")).toHaveLength(1);
  await until("nothing but the timer sleeps", () => clock.sleeping === 1);
  clock.advance(60_000);
  expect(await delivery()).toMatchObject({ status: "pending", nextAttemptAt: null, attemptCount: 1 });
  expect(receiver.requests).toHaveLength(1);
});

test("a target that the address guard refuses counts as a failure too", async () => {
  const { dispatcher, finishTask, attempts, store } = await setUp({ disablePolicy: { forMs: 0, failuresMin: 1 } });
  dispatcher.start();
  await finishTask({ url: "http://10.0.0.1/hook" });
  await attempts(1);
  const [{ callback } = { callback: null }] = await store.deliveryHistory("local", "task-1");
  expect(callback).toMatchObject({ status: "disabled", health: { lastError: "blocked", failures: 1 } });
});

test("410 is reported as a disabled callback", async () => {
  const { dispatcher, receiver, finishTask, emitted } = await setUp();
  receiver.respondWith(410);
  dispatcher.start();
  await finishTask();
  await until("it is reported", () => emitted("callback.disabled").length === 1);
  expect(emitted("callback.disabled")).toMatchObject([{ reason: "gone", error: "http_4xx", heldCount: 0 }]);
});
