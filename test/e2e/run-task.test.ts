import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { openStream } from "../mcp/stream.ts";
import { modernRequest, rpc } from "../mcp/wire.ts";
import { T0, temporaryFolder } from "../support/builders.ts";
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
  const { url, sleepsFor, advance } = await startServer({
    env: { RUN_TASK_WAIT_MS: "5000", DEMO_TASK_MS: "20000" },
    clockAt: T0,
  });
  const answer = callTool(url, "run_task", {});
  await Promise.all([sleepsFor(5000), sleepsFor(20_000)]);
  await advance(5000);
  const { task_id: taskId, status } = await answer;
  expect(status).toBe("running");
  await register(url, String(taskId), "c1", receiver.url);
  await advance(15_000);
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
  const server = await startServer({ env: { ...LONG, TASKS_STOP_GRACE_MS: "0" } });
  const taskId = await runAsTask(server.port, { task_id: "t1" });
  const listen = modernRequest("subscriptions/listen", { notifications: { taskIds: [taskId] } }, DECLARED);
  const stream = openStream(server.port, listen);
  await stream.waitFor("notifications/subscriptions/acknowledged");
  const waiting = callTool(server.url, "run_task", { task_id: "t2" });
  await until("it runs", () => server.lines.some((line) => line.includes("callback task t2")));
  expect(await server.stop()).toBe(0);
  // Who is cut off when the grace is over gets no answer.
  expect(await waiting).toMatchObject({ task_id: "t2", status: "running" });
  expect((await stream.waitFor("result")).result).toMatchObject({ resultType: "complete" });
});
