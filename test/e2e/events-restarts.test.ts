/** Subscriptions of MCP Events over kill -9. */
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import { A_SECRET, temporaryFolder } from "../support/builders.ts";
import { callTool, start } from "../support/call-tool.ts";
import { occurrenceIn, startEventsReceiver } from "../support/events-receiver.ts";
import { poll, subscribe, subscriptionTo } from "../support/mcp-events.ts";
import { startServer } from "../support/server.ts";
import type { ServerOptions } from "../support/server.ts";
import { until } from "../support/until.ts";

const RETRY_WAIT_MS = 1500;
const RETRIES = { EVENTS_RETRY_SCHEDULE_MS: String(RETRY_WAIT_MS), DEMO_TASK_MS: "0" };
const HOUR_MS = 3_600_000;

/** A database that outlives its servers and a receiver that outlives them too. */
async function setUp() {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startEventsReceiver();
  const serve = (options: Omit<ServerOptions, "file"> = {}) => startServer({ ...options, file });
  return { receiver, serve, subscription: subscriptionTo(receiver.hook) };
}

interface Listed {
  readonly subscriptions: readonly {
    readonly subscription_id: string;
    readonly status: string;
    readonly deliveries: readonly { readonly status: string; readonly attempt_count: number }[];
  }[];
}
const listed = async (url: string) => (await callTool<Listed>(url, "list_subscriptions", {})).subscriptions;
const listedBy = async (url: string, id: string) =>
  (await listed(url)).find(({ subscription_id }) => subscription_id === id);

test("killed while events wait for a retry: they come after the restart, the same ids and bytes, signed with both secrets", async () => {
  const { receiver, serve, subscription } = await setUp();
  receiver.respondWith(503);
  const now = Date.now();
  const first = await serve({ env: RETRIES, clockAt: now });
  const { id } = await subscribe(first, subscription);
  const next = generateSecret();
  await subscribe(first, { ...subscription, delivery: { ...subscription.delivery, secret: next } });
  await start(first.url, "t1");
  await first.sleepsFor(RETRY_WAIT_MS);
  await first.kill();
  receiver.respondWith(204);

  const second = await serve({ env: RETRIES, clockAt: now + RETRY_WAIT_MS });
  const [refused, retried] = await receiver.waitFor(2);
  const delivered = retried!;
  expect(delivered.body).toBe(refused!.body);
  expect(delivered.headers).toMatchObject({
    "webhook-id": occurrenceIn(refused!).eventId,
    "x-mcp-subscription-id": id,
  });
  expect(String(delivered.headers["webhook-signature"]).split(" ")).toHaveLength(2);
  for (const secret of [next, A_SECRET])
    new Webhook(secret).verify(delivered.body, delivered.headers as Record<string, string>);
  await until("it is recorded", async () => (await listed(second.url))[0]?.deliveries[0]?.status === "delivered");
  expect(await listed(second.url)).toMatchObject([{ subscription_id: id, status: "active" }]);
});

test("killed between the end of the task and the first POST: the event comes after the restart, and a poll shows the same", async () => {
  const { receiver, serve, subscription } = await setUp();
  const first = await serve({ killAt: { line: "✅ Task t1 completed" } });
  const { cursor } = await subscribe(first, subscription);
  await start(first.url, "t1");
  await first.ended();
  expect(receiver.posts).toHaveLength(0);
  const second = await serve();
  const [post] = await receiver.waitFor(1);
  const { eventId, data } = occurrenceIn(post!);
  expect(post!.headers["webhook-id"]).toBe(eventId);
  expect((await poll(second, { cursor })).events).toMatchObject([{ eventId, data }]);
  expect(receiver.challenges).toHaveLength(1);
});

test("killed while the task runs: it runs again, and its end is sent", async () => {
  const { receiver, serve, subscription } = await setUp();
  const first = await serve({ env: { DEMO_TASK_MS: "60000" } });
  await subscribe(first, subscription);
  await start(first.url, "t1");
  await first.waitForLine("🔨 Processing");
  await first.kill();
  await serve();
  const [post] = await receiver.waitFor(1);
  expect(occurrenceIn(post!).data).toMatchObject({ task_id: "t1", status: "completed" });
});

test("killed after the subscription was stored and before the answer: asking again is a refresh of the same one", async () => {
  const { receiver, serve, subscription } = await setUp();
  const first = await serve({ killAt: { line: "🔔" } });
  await expect(subscribe(first, subscription)).rejects.toBeInstanceOf(Error);
  await first.ended();
  const second = await serve();
  const again = await subscribe(second, subscription);
  expect(again).toMatchObject({ truncated: false, deliveryStatus: { active: true, lastError: null } });
  expect(await listed(second.url)).toMatchObject([{ subscription_id: again.id, status: "active" }]);
  expect(receiver.challenges).toHaveLength(1);
});

test("killed after the challenge was echoed and before the subscription was stored: there is none, and asking again makes it", async () => {
  const { receiver, serve, subscription } = await setUp();
  const first = await serve({ killAt: { statement: 'insert into "callbacks"' } });
  await expect(subscribe(first, subscription)).rejects.toBeInstanceOf(Error);
  await first.ended();
  const second = await serve();
  expect(await listed(second.url)).toEqual([]);
  const created = await subscribe(second, subscription);
  expect(created).not.toHaveProperty("deliveryStatus");
  // The store keeps that the URL has passed its challenge.
  expect(receiver.challenges).toHaveLength(1);
});

test("a URL that has passed its challenge is not asked again after a restart, for a refresh or another event", async () => {
  const { receiver, serve, subscription } = await setUp();
  const first = await serve();
  const { id } = await subscribe(first, subscription);
  await first.kill();
  const second = await serve();
  expect(await subscribe(second, subscription)).toMatchObject({ id });
  expect((await subscribe(second, { ...subscription, name: "task_failed" })).id).not.toBe(id);
  expect(receiver.challenges).toHaveLength(1);
});

test("a subscription that expired while the server was down gets nothing, not even its pending deliveries", async () => {
  const { receiver, serve, subscription } = await setUp();
  receiver.respondWith(503);
  const env = { ...RETRIES, EVENTS_TTL_MS: `${24 * HOUR_MS},1,${24 * HOUR_MS}` };
  const now = Date.now();
  const first = await serve({ env, clockAt: now });
  const { id } = await subscribe(first, { ...subscription, ttlMs: HOUR_MS });
  const lasting = await startEventsReceiver();
  const { id: lastingId } = await subscribe(first, subscriptionTo(lasting.hook));
  await start(first.url, "t1");
  await first.sleepsFor(RETRY_WAIT_MS);
  await until(
    "t1 is delivered",
    async () => (await listedBy(first.url, lastingId))?.deliveries[0]?.status === "delivered",
  );
  await first.kill();
  receiver.respondWith(204);

  const second = await serve({ env, clockAt: now + HOUR_MS });
  await start(second.url, "t2");
  const posts = await lasting.waitFor(2);
  expect(occurrenceIn(posts.at(-1)!).data.task_id).toBe("t2");
  await second.waitForLine("📞 All callbacks sent for t2");
  expect(await listedBy(second.url, id)).toMatchObject({ status: "expired", deliveries: [{ status: "cancelled" }] });
  expect(await listedBy(second.url, lastingId)).toMatchObject({ status: "active" });
  expect(receiver.posts).toHaveLength(1);
  // As if there had been none: no deliveryStatus.
  expect(await subscribe(second, subscription)).not.toHaveProperty("deliveryStatus");
});
