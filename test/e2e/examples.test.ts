/** The examples, run as their readers run them. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { callTool } from "../support/call-tool.ts";
import { startServer } from "../support/server.ts";
import type { TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const WORKER_TOKEN = "worker-secret";
const env = { WORKER_TOKENS: `w1:${WORKER_TOKEN}` };
const has = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Runs it until the test is over. */
function run(command: string, args: readonly string[], more: Record<string, string> = {}) {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const child = spawn(command, args, { cwd, env: { PATH: process.env["PATH"], WORKER_TOKEN, ...more } });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  });
  return { printed: text(child.stdout), exited };
}

const start = ({ url }: TestServer, taskId: string, more: object) =>
  callTool(url, "start_task_with_callbacks", { task_id: taskId, client_id: "c", task_type: "external", ...more });
const ended = ({ url }: TestServer, taskId: string) =>
  until(`${taskId} has ended`, async () => {
    const task = await callTool(url, "get_task_result", { task_id: taskId });
    return task["status"] === "completed" || task["status"] === "failed" ? task : null;
  });

/** The oldest Node that the worker in JavaScript names, where the machine has it beside ours. */
const WORKERS = [
  { language: "Python", command: "python3", file: "examples/worker.py" },
  { language: "JavaScript", command: process.execPath, file: "examples/worker.mjs" },
  { language: "JavaScript under the Node of the machine", command: nodeOfTheMachine(), file: "examples/worker.mjs" },
].filter(({ command }) => has(command));

test.each(WORKERS)("the worker in $language completes what it can and fails what it cannot", async (worker) => {
  const server = await startServer({ env: { ...env, LOG_LEVEL: "debug" } });
  run(worker.command, [worker.file, server.url]);
  await start(server, "t1", { input: { text: "to be or not to be" } });
  await start(server, "t2", { input: {} });
  expect(await ended(server, "t1")).toMatchObject({ status: "completed", result: { words: 6 } });
  const error = 'this worker wants {"text": "…"} for an input';
  expect(await ended(server, "t2")).toMatchObject({ status: "failed", error });
  await server.waitForLine("📈 Task t1 is at 6 of 6");
});

/** The first `node` in the PATH that is not the one of this project. */
function nodeOfTheMachine(): string {
  const folders = (process.env["PATH"] ?? "").split(":").filter((folder) => !folder.includes("node_modules"));
  const found = folders.map((folder) => `${folder}/node`).find((file) => existsSync(file));
  return found ?? "no-other-node";
}

describe.skipIf(!has("curl"))("the examples in shell", () => {
  test("the worker completes one task, and fails a task that it cannot do", async () => {
    const server = await startServer({ env });
    const work = async (taskId: string, input: object) => {
      await start(server, taskId, { input });
      expect(await run("sh", ["examples/worker.sh", server.url]).exited).toBe(0);
      return ended(server, taskId);
    };
    expect(await work("t1", { text: "to be or not to be" })).toMatchObject({
      status: "completed",
      result: { words: 6 },
    });
    expect(await work("t2", { id: "not the id", lease_token: "nor the lease" })).toMatchObject({
      status: "failed",
      error: 'this worker wants {"text": "…"} for an input',
    });
  });

  test.each([
    ["true", 0, { status: "completed", result: { exit_code: 0 } }],
    ["false", 1, { status: "failed", error: "the job ended with exit code 1" }],
  ])("the CI job reports how `%s` ended", async (command, code, end) => {
    const server = await startServer();
    const { completion_url } = await start(server, "t1", { completion_url: true });
    const { exited } = run("sh", ["examples/ci-job/run.sh", command], { COMPLETION_URL: String(completion_url) });
    expect(await exited).toBe(code);
    expect(await ended(server, "t1")).toMatchObject(end);
  });
});

describe("the video encoder", () => {
  const module = { TASKS_MODULE: "examples/video-encode/tasks.ts" };
  const film = (seconds: number, source = "metropolis.mov") => ({
    task_type: "video/encode",
    input: { source, seconds },
  });

  test("encodes, and refuses what is no film", async () => {
    const server = await startServer({ env: module });
    await start(server, "t1", film(0.4));
    await start(server, "t2", film(1, "notes.txt"));
    expect(await ended(server, "t1")).toMatchObject({
      status: "completed",
      result: { file: "metropolis.mp4", frames: 10 },
    });
    expect(await ended(server, "t2")).toMatchObject({ status: "failed", error: "notes.txt is no film." });
  });

  test("reports its progress, and runs again after a kill during the run", async () => {
    const first = await startServer({ env: module });
    await start(first, "t1", film(1));
    await until("some progress", async () => {
      const task = await callTool<{ progress?: object }>(first.url, "get_task_result", { task_id: "t1" });
      return task.progress ?? null;
    });
    await first.kill();
    const second = await startServer({ file: first.file, env: module });
    expect(await ended(second, "t1")).toMatchObject({ status: "completed", result: { frames: 25 } });
  });
});
