/** Unregistering, redelivery and tests of a receiver, with the real process and after kills. */
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { T0, temporaryFolder } from "../support/builders.ts";
import { callTool, history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import type { ServerOptions } from "../support/server.ts";
import { until } from "../support/until.ts";

async function setUp() {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const serve = (options: Omit<ServerOptions, "file"> = {}) => startServer({ ...options, file });
  const hook = `${receiver.url}/hook`;
  const delivery = async (url: string) => (await history(url, "t1")).callbacks[0]?.deliveries[0];
  const deliveredAfter = (url: string, count: number) =>
    until(`${count} attempts and delivered`, async () => {
      const now = await delivery(url);
      return now?.status === "delivered" && now.attempt_count >= count ? now : null;
    });
  return { receiver, serve, hook, delivery, deliveredAfter };
}

const unregister = (url: string, callbackUrl: string) =>
  callTool(url, "unregister_callback", { task_id: "t1", client_id: "c1", callback_url: callbackUrl });

test.each([
  ["near", 1500],
  ["parked", 2500],
])("unregistered while a retry waits (%s): nothing is sent any more, not after a kill -9 either", async (_, waitMs) => {
  const { receiver, serve, hook, delivery } = await setUp();
  receiver.respondWith(503);
  const env = { RETRY_SCHEDULE_MS: `${waitMs},${waitMs}`, DEMO_TASK_MS: "0" };
  const first = await serve({ env, clockAt: T0 });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.sleepsFor(waitMs);
  expect(await unregister(first.url, hook)).toMatchObject({ status: "removed", cancelled_deliveries: 1 });

  // Another callback with the same schedule gets its retry; one for the removed callback would have come a millisecond before.
  await first.advance(1);
  receiver.respondWith(({ path }, response) => response.writeHead(path === "/hook" ? 503 : 500).end());
  await register(first.url, "t2", "c2", `${receiver.url}/other`);
  await start(first.url, "t2");
  await first.sleepsFor(waitMs);
  await first.advance(waitMs);
  await receiver.waitFor(() => receiver.requests.filter(({ path }) => path === "/other").length >= 2);
  expect(receiver.requests.filter(({ path }) => path === "/hook")).toHaveLength(1);
  await first.kill();

  const second = await serve({ env, clockAt: T0 + 1 + 2 * waitMs });
  await receiver.waitFor(() => receiver.requests.filter(({ path }) => path === "/other").length >= 3);
  expect(receiver.requests.filter(({ path }) => path === "/hook")).toHaveLength(1);
  expect(await delivery(second.url)).toMatchObject({ status: "cancelled", attempt_count: 1, next_attempt_at: null });
  expect(await unregister(second.url, hook)).toMatchObject({ status: "removed", cancelled_deliveries: 0 });
  const health = (await (await fetch(`${second.url}/health`)).json()) as { pending_callbacks: number };
  expect(health.pending_callbacks).toBeLessThanOrEqual(1);
});

test("a callback that is registered again after its end is the same one, and gets its POST, signed with the new secret", async () => {
  const { receiver, serve, hook, deliveredAfter } = await setUp();
  const { url } = await serve();
  const first = await register(url, "t1", "c1", hook);
  await unregister(url, hook);
  await start(url, "t1");
  await until(
    "the end",
    async () => (await callTool(url, "get_task_result", { task_id: "t1" }))["status"] === "completed",
  );
  expect(receiver.requests).toHaveLength(0);
  const again = await register(url, "t1", "c1", hook);
  expect([again["callback_id"], again["registered_callbacks"]]).toEqual([first["callback_id"], 1]);
  const [request] = await receiver.waitFor(1);
  const headers = request!.headers as Record<string, string>;
  expect(new Webhook(String(again["signing_secret"])).verify(request!.body, headers)).toBeTruthy();
  expect(() => new Webhook(String(first["signing_secret"])).verify(request!.body, headers)).toThrow(
    "No matching signature",
  );
  await deliveredAfter(url, 1);
});

test("an exhausted delivery is redelivered after a kill -9, with the same id and body and a new signature", async () => {
  const { receiver, serve, hook, delivery, deliveredAfter } = await setUp();
  receiver.respondWith(500);
  const env = { RETRY_SCHEDULE_MS: "" };
  const first = await serve({ env });
  const { signing_secret } = await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.waitForLine("❌ Gave up on callback to c1");
  await first.kill();

  receiver.respondWith(204);
  const second = await serve({ env });
  const { delivery_id } = (await delivery(second.url))!;
  const answer = await callTool(second.url, "redeliver", { task_id: "t1", since: "2020-01-01T00:00:00Z" });
  expect(answer).toMatchObject({ redelivered: 1, delivery_ids: [delivery_id] });
  const [before, after] = await receiver.waitFor(2);
  expect(after!.headers["webhook-id"]).toBe(before!.headers["webhook-id"]);
  expect(after!.body).toBe(before!.body);
  const headers = after!.headers as Record<string, string>;
  expect(new Webhook(String(signing_secret)).verify(after!.body, headers)).toBeTruthy();
  expect(await deliveredAfter(second.url, 2)).toMatchObject({ attempts: [{ status_code: 500 }, { status_code: 204 }] });
});

test("after a kill right after the answer to a redelivery the POST is made after the restart", async () => {
  const { receiver, serve, hook, delivery, deliveredAfter } = await setUp();
  const first = await serve();
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await deliveredAfter(first.url, 1);
  // The receiver does not answer any more, so that the second attempt cannot end before the kill.
  receiver.respondWith(() => {});
  const { delivery_id } = (await delivery(first.url))!;
  await callTool(first.url, "redeliver", { delivery_id });
  await first.kill();
  receiver.respondWith(204);
  const second = await serve();
  expect(await deliveredAfter(second.url, 2)).toMatchObject({ delivery_id, attempt_count: 2 });
});

test("a delivery that is redelivered twice, one after the other, is sent twice more", async () => {
  const { receiver, serve, hook, delivery, deliveredAfter } = await setUp();
  const { url } = await serve();
  await register(url, "t1", "c1", hook);
  await start(url, "t1");
  await deliveredAfter(url, 1);
  const { delivery_id } = (await delivery(url))!;
  for (const attempts of [2, 3]) {
    expect(await callTool(url, "redeliver", { delivery_id })).toMatchObject({ redelivered: 1 });
    await deliveredAfter(url, attempts);
  }
  expect(receiver.requests).toHaveLength(3);
  expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

test.each(["enable_callback", "send_test_event"])(
  "a callback that is disabled for failing, and its held deliveries, stay so over a kill -9; %s sends them, with the same id",
  async (tool) => {
    const { receiver, serve, hook, delivery, deliveredAfter } = await setUp();
    receiver.respondWith(503);
    const waits = Array.from({ length: 12 }, () => 20).join(",");
    const env = { RETRY_SCHEDULE_MS: waits, DISABLE_AFTER_DAYS: "0.000001" };
    const first = await serve({ env });
    const { callback_id } = await register(first.url, "t1", "c1", hook);
    await start(first.url, "t1");
    await first.waitForLine(/🔕 Callback to c1 disabled: failing since .* \(http_5xx\), 1 deliveries wait/);
    const { length: made } = receiver.requests;
    expect(made).toBeGreaterThanOrEqual(10);
    await first.kill();

    receiver.respondWith(204);
    const second = await serve({ env });
    expect((await history(second.url, "t1")).callbacks[0]).toMatchObject({
      status: "disabled",
      disabled_reason: "failing",
      last_error: "http_5xx",
    });
    expect(await delivery(second.url)).toMatchObject({ status: "pending", next_attempt_at: null, attempt_count: made });
    const health = await (await fetch(`${second.url}/health`)).json();
    expect(health).toMatchObject({ pending_callbacks: 0, disabled_callbacks: 1 });
    // The POST to another callback shows that the dispatcher has made a pass.
    await register(second.url, "t2", "c2", `${receiver.url}/other`);
    await start(second.url, "t2");
    await receiver.waitFor(() => receiver.requests.some(({ path }) => path === "/other"));
    expect(receiver.requests.filter(({ path }) => path === "/hook")).toHaveLength(made);

    expect(await callTool(second.url, tool, { callback_id })).toMatchObject({ resumed_deliveries: 1 });
    await second.waitForLine("🔌 Callback of c1 is active again, 1 deliveries that waited are sent now");
    expect(await deliveredAfter(second.url, made + 1)).toMatchObject({ attempt_count: made + 1 });
    const id = receiver.requests[0]!.headers["webhook-id"];
    expect(receiver.requests.filter(({ headers }) => headers["webhook-id"] === id)).toHaveLength(made + 1);
  },
);

test("a test event arrives at the test receiver, and a diagnosis of it has no failed step", async () => {
  const { serve } = await setUp();
  const server = await serve();
  const hook = `${server.url}/webhook/c1`;
  const { callback_id } = await register(server.url, "t1", "c1", hook);
  const sent = await callTool(server.url, "send_test_event", { callback_id });
  expect(sent).toMatchObject({ status: "delivered", status_code: 200, error: null });
  await server.waitForLine("🎯 Webhook received for c1: test - t1");
  await server.waitForLine("🧪 Test event delivered to c1");
  const inbox = (await (await fetch(hook)).json()) as { received: { headers: Record<string, string> }[] };
  expect(inbox.received[0]!.headers["webhook-id"]).toBe(sent["event_id"]);
  expect(await callTool(server.url, "diagnose_callback", { callback_id })).toMatchObject({ status: "ok" });
  expect((await history(server.url, "t1")).callbacks[0]!.deliveries).toEqual([]);
  expect(await server.stop()).toBe(0);
});
