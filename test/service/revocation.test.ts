import { expect, onTestFinished, test } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { createEndpointVerifier } from "../../src/outbound/endpoint-verifier.ts";
import type { StartDeadline } from "../../src/outbound/deadline.ts";
import type { EventsErrorCodes } from "../../src/domain/events-error.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createRevocation } from "../../src/service/revocation.ts";
import { createTermination } from "../../src/service/termination.ts";
import { A_SECRET, aClaim, aStart, aSubscription, HOUR_MS, T0 } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { listenRaw, receiverWith } from "../support/sender.ts";
import { signatureBy } from "../support/signature-by.ts";
import { openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

const ANOTHER_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

interface Options {
  readonly errorCodes?: EventsErrorCodes;
  readonly sendsTerminated?: boolean;
  readonly startDeadline?: StartDeadline;
}

async function setUp({ errorCodes = "sketch", sendsTerminated = true, ...deadlines }: Options = {}) {
  const store = await openTestStore();
  const guard = createAddressGuard({ allow: "loopback" });
  const endpointVerifier = createEndpointVerifier({ guard, attemptTimeoutMs: 60_000, userAgent: "test", ...deadlines });
  onTestFinished(async () => {
    await endpointVerifier.close();
    await store.close();
  });
  const emitted: TelemetryEvent[] = [];
  let nonces = 0;
  const clock = createFakeClock(T0);
  const newNonce = () => `nonce-${++nonces}`;
  const termination = createTermination({
    endpointVerifier,
    clock,
    newNonce,
    errorCodes,
    sendsTerminated,
  });
  const emit = (event: TelemetryEvent): void => void emitted.push(event);
  const revocation = createRevocation({ store, termination, clock, emit });
  const receiver = await receiverWith();
  const subscribe = (principal: string, changes = {}) =>
    store.putSubscription(aSubscription({ principal, url: `${receiver.url}/hook`, ...changes }));
  const statusOf = async (principal: string) => {
    const page = { after: null, limit: 999, deliveries: 9, now: T0 };
    return (await store.listSubscriptions(principal, page)).map(({ status }) => status);
  };
  return { store, revocation, receiver, emitted, subscribe, statusOf };
}

test("all subscriptions of removed principals end, each receiver gets one signed message, and other subscriptions stay", async () => {
  const { revocation, receiver, emitted, subscribe, statusOf } = await setUp();
  await subscribe("ann");
  await subscribe("gone", { taskId: "a" });
  await subscribe("gone", { taskId: "b" });
  await (
    await revocation.revokeAllExcept(["ann"])
  ).messagesSent;
  expect([await statusOf("ann"), await statusOf("gone")]).toEqual([["active"], ["ended", "ended"]]);
  const url = `${receiver.url}/hook`;
  const ids = ["a", "b"].map((taskId) => aSubscription({ principal: "gone", url, taskId }).id);
  expect(new Set(receiver.requests.map(({ headers }) => headers["x-mcp-subscription-id"]))).toEqual(new Set(ids));
  expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(2);
  for (const { headers, body, path } of receiver.requests) {
    expect([path, body]).toEqual([
      "/hook",
      '{"type":"terminated","error":{"code":-32012,"message":"Forbidden","data":{"reason":"access_revoked"}}}',
    ]);
    expect(headers["webhook-id"]).toMatch(/^msg_terminated_[\w-]+$/);
    expect(headers["content-type"]).toBe("application/json");
  }
  expect(emitted.map((one) => [one.kind, "why" in one && one.why])).toEqual([
    ["subscription.ended", "revoked"],
    ["subscription.ended", "revoked"],
  ]);
  await (
    await revocation.revokeAllExcept(["ann"])
  ).messagesSent;
  expect(receiver.requests).toHaveLength(2);
});

test("the message is signed with both secrets during an overlap, and has the error code of the settings", async () => {
  const { revocation, receiver, subscribe } = await setUp({ errorCodes: "sep" });
  await subscribe("gone");
  await subscribe("gone", { secret: ANOTHER_SECRET });
  await (
    await revocation.revokeAllExcept([])
  ).messagesSent;
  const [request] = receiver.requests;
  expect(request!.body).toContain('"code":-32024');
  expect(request!.headers["webhook-signature"]).toBe(
    [ANOTHER_SECRET, A_SECRET].map((secret) => signatureBy(secret, request!)).join(" "),
  );
});

test("their open deliveries are not sent, and a later subscribe creates a new subscription", async () => {
  const { store, revocation, subscribe, statusOf } = await setUp();
  await subscribe("gone");
  await store.startTask(aStart({ principal: "gone" }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: 1 }, now: T0 });
  await (
    await revocation.revokeAllExcept([])
  ).messagesSent;
  expect(await store.claimDueDeliveries(aClaim({ now: T0 + HOUR_MS - 1 }))).toEqual([]);
  expect(await subscribe("gone")).toMatchObject({ kind: "created" });
  expect(await statusOf("gone")).toEqual(["active"]);
});

test("receivers that do not answer delay neither the revocation nor the messages to other receivers", async () => {
  const deadlines: (() => void)[] = [];
  const startDeadline: StartDeadline = (_, ring) => {
    deadlines.push(ring);
    return () => undefined;
  };
  const { revocation, receiver, subscribe, statusOf } = await setUp({ startDeadline });
  let asked = 0;
  const { url } = await listenRaw((socket) => socket.once("data", () => asked++));
  for (let index = 0; index < 8; index++) await subscribe("gone", { url: `${url}/${index}` });
  await subscribe("gone", { name: "task_failed" });
  const { messagesSent } = await revocation.revokeAllExcept([]);
  expect(new Set(await statusOf("gone"))).toEqual(new Set(["ended"]));
  let isOver = false;
  void messagesSent.then(() => (isOver = true));
  await until("all messages are sent", () => {
    // The time of those under way is over, once each of them has been asked.
    if (asked + receiver.requests.length === deadlines.length) for (const ring of deadlines) ring();
    return isOver;
  });
  expect([asked, receiver.requests.length]).toEqual([8, 1]);
});

test("without messages in the settings none is sent, and more than one step of subscriptions ends", async () => {
  const { revocation, receiver, subscribe, statusOf } = await setUp({ sendsTerminated: false });
  for (let index = 0; index < 201; index++) await subscribe("gone", { taskId: `task-${index}`, perPrincipalMax: 999 });
  await (
    await revocation.revokeAllExcept([])
  ).messagesSent;
  expect(new Set(await statusOf("gone"))).toEqual(new Set(["ended"]));
  expect(receiver.connections).toBe(0);
});
