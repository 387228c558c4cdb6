import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

const LONG = { DEMO_TASK_MS: "60000" };

async function setUp() {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  return { file, receiver, hook: `${receiver.url}/hook` };
}

const cancel = (url: string, taskId: string) => callTool(url, "cancel_task", { task_id: taskId });
const result = (url: string, taskId: string) => callTool(url, "get_task_result", { task_id: taskId });

test("the callbacks of a cancelled task get task_cancelled, signed and delivered as other events", async () => {
  const { file, receiver, hook } = await setUp();
  const { url, waitForLine } = await startServer({ file, env: LONG });
  await register(url, "t1", "c1", hook);
  await start(url, "t1");
  await waitForLine("🔨 Processing callback task t1");
  expect(await cancel(url, "t1")).toMatchObject({ status: "cancelled" });
  const [post] = await receiver.waitFor(1);
  expect(JSON.parse(post!.body)).toMatchObject({
    type: "task_cancelled",
    data: {
      task_id: "t1",
      status: "cancelled",
      error: "The task was cancelled on request.",
      message: "🚫 Task cancelled",
    },
  });
  expect(post!.headers["webhook-signature"]).toMatch(/^v1,/);
  expect(await settledDelivery(url, "t1")).toMatchObject({ event: "task_cancelled", status: "delivered" });
  await waitForLine("🚫 Task t1 cancelled, sending callbacks...");
});

test("after a kill right after the answer the task stays cancelled, is not run again, and the POST is made", async () => {
  const { file, receiver, hook } = await setUp();
  const first = await startServer({ file, env: LONG });
  // The receiver does not answer, so that the attempt cannot end before the kill.
  receiver.respondWith(() => {});
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.waitForLine("🔨 Processing callback task t1");
  await cancel(first.url, "t1");
  await first.kill();
  receiver.respondWith(204);
  const second = await startServer({ file });
  expect(await result(second.url, "t1")).toMatchObject({ status: "cancelled" });
  expect(await settledDelivery(second.url, "t1")).toMatchObject({ event: "task_cancelled", status: "delivered" });
  await start(second.url, "t2");
  await second.waitForLine("✅ Task t2 completed");
  expect(second.lines.some((line) => line.includes("callback task t1"))).toBe(false);
});

test("after a kill during the write the task is cancelled completely or not at all", async () => {
  const { file, receiver, hook } = await setUp();
  const first = await startServer({ file, env: LONG, killAt: { statement: 'insert into "events"' } });
  await register(first.url, "t1", "c1", hook);
  await start(first.url, "t1");
  await first.waitForLine("🔨 Processing callback task t1");
  await cancel(first.url, "t1").catch(() => {});
  await first.ended();
  const second = await startServer({ file });
  // Not committed: the task runs again.
  await receiver.waitFor(1);
  expect(await result(second.url, "t1")).toMatchObject({ status: "completed" });
  expect(receiver.requests.map(({ body }) => JSON.parse(body).type)).toEqual(["task_completed"]);
});
