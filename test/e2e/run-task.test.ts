import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { openStream } from "../mcp/stream.ts";
import { modernRequest, rpc } from "../mcp/wire.ts";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, register } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const DECLARED = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const LONG = { DEMO_TASK_MS: "60000" };

const ask = async (port: number, method: string, params: Parameters<typeof modernRequest>[1]) =>
  (await rpc(port, modernRequest(method, params, DECLARED))).result;

async function runAsTask(port: number, given: object): Promise<string> {
  const result = await ask(port, "tools/call", { name: "run_task", arguments: given });
  return z.object({ taskId: z.string() }).parse(result).taskId;
}

test("run_task waits for its task and answers with the result", async () => {
  const { url } = await startServer();
  expect(await callTool(url, "run_task", { task_id: "t1" })).toMatchObject({
    task_id: "t1",
    status: "completed",
    result: "Task t1 completed successfully with data: [processed_data_123]",
  });
});

test("past its wait it answers with the handle; the callback registered then gets its POST", async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const { url } = await startServer({ env: { RUN_TASK_WAIT_MS: "50", DEMO_TASK_MS: "1000" } });
  const { task_id: taskId, status } = await callTool(url, "run_task", {});
  expect(status).toBe("running");
  await register(url, String(taskId), "c1", receiver.url);
  const [post] = await receiver.waitFor(1);
  expect(JSON.parse(post!.body)).toMatchObject({
    type: "task_completed",
    data: { task_id: taskId, started_by: "local" },
  });
});

test("killed while the task runs: it goes on after the restart, and its id is still good", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({ file, env: LONG });
  const taskId = await runAsTask(first.port, { task_id: "t1" });
  await first.waitForLine("🔨 Processing callback task t1");
  await first.kill();
  const second = await startServer({ file });
  const stream = openStream(
    second.port,
    modernRequest("subscriptions/listen", { notifications: { taskIds: [taskId] } }, DECLARED),
  );
  expect((await stream.waitFor("notifications/tasks")).params).toMatchObject({ taskId, status: "completed" });
  expect(await ask(second.port, "tasks/get", { taskId })).toMatchObject({
    status: "completed",
    result: { structuredContent: { task_id: "t1", status: "completed" } },
  });
});

test("killed right after the task was given for an answer: it is there", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({ file, env: LONG });
  const taskId = await runAsTask(first.port, {});
  await first.kill();
  const second = await startServer({ file, env: LONG });
  expect(await ask(second.port, "tasks/get", { taskId })).toMatchObject({ taskId, status: "working" });
  await ask(second.port, "tasks/cancel", { taskId });
  expect(await ask(second.port, "tasks/get", { taskId })).toMatchObject({ status: "cancelled" });
});

test("those who wait or listen do not hold up the end of the server, and get a last answer", async () => {
  const server = await startServer({ env: { ...LONG, TASKS_STOP_GRACE_MS: "200" } });
  const taskId = await runAsTask(server.port, { task_id: "t1" });
  const listen = modernRequest("subscriptions/listen", { notifications: { taskIds: [taskId] } }, DECLARED);
  const stream = openStream(server.port, listen);
  await stream.waitFor("notifications/subscriptions/acknowledged");
  const waiting = callTool(server.url, "run_task", { task_id: "t2" });
  await until("it runs", () => server.lines.some((line) => line.includes("callback task t2")));
  const before = Date.now();
  expect(await server.stop()).toBe(0);
  expect(Date.now() - before).toBeLessThan(3000);
  expect(await waiting).toMatchObject({ task_id: "t2", status: "running" });
  expect((await stream.waitFor("result")).result).toMatchObject({ resultType: "complete" });
});
