import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { T0, temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** A module whose handlers write each run into a file. */
function aModule(): { readonly module: string; readonly runs: () => string[] } {
  const folder = temporaryFolder();
  const notes = join(folder, "runs.txt");
  appendFileSync(notes, "");
  const module = join(folder, "tasks.ts");
  writeFileSync(
    module,
    `import { appendFileSync } from "node:fs";
import { z } from "zod";
import { defineTask } from "mcp-callbacks/tasks";
const note = (text) => appendFileSync(${JSON.stringify(notes)}, text + "\\n");
export const flaky = defineTask({
  name: "flaky", description: "Works the third time.", input: z.object({}), retries: 5,
  async run(_input, { attempt }) {
    note("flaky " + attempt);
    if (attempt < 3) throw new Error("not yet");
    return "at last";
  },
});
export const blocking = defineTask({
  name: "blocking", description: "Blocks the process for a while.", input: z.object({}),
  run() { const end = Date.now() + 300; while (Date.now() < end); return "blocked"; },
});
export const odd = defineTask({
  name: "odd", description: "Throws what is no error.", input: z.object({}),
  async run() { throw undefined; },
});
export const wrong = defineTask({
  name: "wrong", description: "Breaks its word.", input: z.object({}), output: z.object({ n: z.number() }), retries: 3,
  run: async () => ({ n: "one" }) as never,
});
`,
  );
  return { module, runs: () => readFileSync(notes, "utf8").trim().split("\n") };
}

const ended = (url: string, taskId: string) =>
  until(`the end of ${taskId}`, async () => {
    const answer = await callTool(url, "get_task_result", { task_id: taskId });
    return ["completed", "failed"].includes(String(answer["status"])) ? answer : null;
  });

test("a kill between two runs of a task loses neither the task nor its schedule, and its callback gets one POST", async () => {
  const { module, runs } = aModule();
  const receiver = await startReceiver();
  const first = await startServer({ env: { TASKS_MODULE: module }, clockAt: T0 });
  await callTool(first.url, "start_task_with_callbacks", {
    task_id: "t",
    client_id: "c",
    task_type: "flaky",
    callbacks: [{ client_id: "c", callback_url: receiver.url }],
  });
  await first.waitForLine("Run 1 of task t failed: not yet, next run in 1 s");
  await first.sleepsFor(1000);
  await first.kill();
  // The second run is due in a millisecond, the third two seconds later.
  const second = await startServer({ file: first.file, env: { TASKS_MODULE: module }, clockAt: T0 + 999 });
  await second.sleepsFor(1);
  expect(runs()).toEqual(["flaky 1"]);
  await second.advance(1);
  await second.sleepsFor(2000);
  await second.advance(2000);
  expect(await ended(second.url, "t")).toMatchObject({ status: "completed", result: "at last" });
  expect(runs()).toEqual(["flaky 1", "flaky 2", "flaky 3"]);
  await until("the POST", () => receiver.requests.length === 1);
});

test("a handler that never yields blocks the server, which goes on when it is over; odd results are failures", async () => {
  const { module } = aModule();
  const { url } = await startServer({ env: { TASKS_MODULE: module } });
  const start = (taskId: string) =>
    callTool(url, "start_task_with_callbacks", { task_id: taskId, client_id: "c", task_type: taskId });
  await start("blocking");
  await start("odd");
  await start("wrong");
  expect(await ended(url, "blocking")).toMatchObject({ status: "completed", result: "blocked" });
  expect(await ended(url, "odd")).toMatchObject({ status: "failed", error: "The task failed without a message." });
  expect(await ended(url, "wrong")).toMatchObject({
    status: "failed",
    error: expect.stringContaining("result.n must be a number"),
  });
  const { tasks } = await callTool<{ tasks: object[] }>(url, "list_tasks", { status: "failed", client_id: "c" });
  expect(tasks).toMatchObject([{ task_id: "wrong", runs: 1 }, { task_id: "odd" }]);
});
