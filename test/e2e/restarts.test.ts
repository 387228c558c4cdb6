import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { T0, temporaryFolder } from "../support/builders.ts";
import { callTool, history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import type { ServerOptions } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A database and a receiver that outlive the servers. */
async function setUp() {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const serve = (options: Omit<ServerOptions, "file"> = {}) => startServer({ ...options, file });
  const hook = `${receiver.url}/hook`;
  async function settled(url: string) {
    return until("the delivery is settled", async () => {
      const delivery = (await history(url, "t1")).callbacks[0]?.deliveries[0];
      return delivery !== undefined && ["delivered", "exhausted"].includes(delivery.status) ? delivery : null;
    });
  }
  return { receiver, serve, hook, settled };
}

test("after a kill after register_callback the callback exists and gets its POST", async () => {
  const { receiver, serve, hook, settled } = await setUp();
  const first = await serve();
  await register(first.url, "t1", "c1", hook);
  await first.kill();
  const second = await serve();
  await start(second.url, "t1");
  await receiver.waitFor(1);
  expect(await settled(second.url)).toMatchObject({ status: "delivered", attempt_count: 1 });
});

test("after a kill right after the answer to a start the task runs", async () => {
  const { receiver, serve, hook, settled } = await setUp();
  const first = await serve({ env: { DEMO_TASK_MS: "60000" } });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.kill();
  const second = await serve();
  await receiver.waitFor(1);
  expect(await settled(second.url)).toMatchObject({ status: "delivered", attempt_count: 1 });
});

test("after a kill while the task runs it runs again, and the run is counted", async () => {
  const { receiver, serve, hook } = await setUp();
  const first = await serve({ killAt: { line: "🔨 Processing callback task t1" } });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1").catch(() => {});
  await first.ended();
  const second = await serve({ env: { LOG_FORMAT: "json" } });
  await receiver.waitFor(1);
  expect(JSON.parse(await second.waitForLine('"msg":"task.running"'))).toMatchObject({ taskId: "t1", runCount: 2 });
});

test("after a kill between the end of the task and its first POST the POST is made, and the task does not run again", async () => {
  const { receiver, serve, hook, settled } = await setUp();
  const first = await serve({ killAt: { line: "✅ Task t1 completed" } });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.ended();
  expect(receiver.requests).toHaveLength(0);
  const second = await serve();
  await receiver.waitFor(1);
  expect(await settled(second.url)).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(second.lines.some((line) => line.includes("🔨"))).toBe(false);
});

test("after a kill between the 200 of the receiver and the attempt row the POST is made again with the same webhook-id", async () => {
  const { receiver, serve, hook, settled } = await setUp();
  const first = await serve({ killAt: { response: 204 } });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.ended();
  const second = await serve();
  const [before, after] = await receiver.waitFor(2);
  expect(after!.headers["webhook-id"]).toBe(before!.headers["webhook-id"]);
  expect(after!.body).toBe(before!.body);
  expect(await settled(second.url)).toMatchObject({
    status: "delivered",
    attempt_count: 1,
    event_id: before!.headers["webhook-id"],
  });
});

test.each([
  ["with its claim kept", 1500],
  ["parked in the store", 2500],
])("killed while it waits for a retry, %s: the schedule goes on at the right attempt", async (_, waitMs) => {
  const { receiver, serve, hook, settled } = await setUp();
  receiver.respondWith(503);
  const env = { RETRY_SCHEDULE_MS: `${waitMs},100`, DEMO_TASK_MS: "0" };
  const first = await serve({ env, clockAt: T0 });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.sleepsFor(waitMs);
  await first.kill();
  expect(receiver.requests).toHaveLength(1);

  // Not before it is due.
  const second = await serve({ env, clockAt: T0 + waitMs - 1 });
  await second.sleepsFor(1);
  expect(receiver.requests).toHaveLength(1);
  await second.advance(1);
  await receiver.waitFor(2);
  await second.sleepsFor(100);
  await second.advance(100);
  const delivery = await settled(second.url);
  expect(delivery).toMatchObject({ status: "exhausted", attempts: [{ number: 1 }, { number: 2 }, { number: 3 }] });
  expect(receiver.requests).toHaveLength(3);
  expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

test("a delivery that was recorded as delivered is not sent again", async () => {
  const { receiver, serve, hook, settled } = await setUp();
  const first = await serve();
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  const delivered = await settled(first.url);
  await first.kill();
  const second = await serve();
  // The POST of a later task arrives, so an earlier one would have arrived too.
  await register(second.url, "t2", "c2", hook);
  await start(second.url, "t2");
  await receiver.waitFor(({ body }) => body.includes('"t2"'));
  expect(receiver.requests).toHaveLength(2);
  expect(await settled(second.url)).toEqual(delivered);
  expect(await callTool(second.url, "get_task_result", { task_id: "t1" })).toMatchObject({ status: "completed" });
});
