import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { cli, serverEnv, shareServer, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { A_TOKEN } from "../tasks/upstream/upstreams.ts";

const misbehaving = fileURLToPath(new URL("../support/upstream-server.mjs", import.meta.url));

function config(server: object, folder: string): string {
  const file = join(folder, "mcp.json");
  const bad = { command: process.execPath, args: [misbehaving], env: { API_TOKEN: "${UPSTREAM_TOKEN}" }, ...server };
  writeFileSync(file, JSON.stringify({ mcpServers: { bad } }));
  return file;
}

const settings = (callbacks: object = {}, folder = temporaryFolder()) => ({
  UPSTREAMS: config({ callbacks: { allow: ["*"], ...callbacks } }, folder),
  UPSTREAM_TOKEN: A_TOKEN,
  LOG_LEVEL: "debug",
});

function start(url: string, taskId: string, tool: string, input: object = {}) {
  const task = { task_id: taskId, client_id: "me", task_type: `bad/${tool}`, input };
  return callTool(url, "start_task_with_callbacks", task);
}

const endOf = (url: string, taskId: string) =>
  until(`${taskId} has ended`, async () => {
    const task = await callTool(url, "get_task_result", { task_id: taskId });
    return /completed|failed|cancelled/.test(String(task["status"])) ? task : null;
  });

/** For tests that do not stop the server; they may stop the process of its upstream server. */
const shared = shareServer((folder) => ({ env: settings({}, folder) }));

test("a result over 240 KiB fails its task for that reason", async () => {
  const { url } = await shared();
  await start(url, "huge-1", "huge", { bytes: 1_000_000 });
  expect(await endOf(url, "huge-1")).toMatchObject({
    status: "failed",
    error: expect.stringMatching(/^The result has 1000\d{3} bytes of JSON, over the limit of 245760/),
  });
});

test("a call that a crash of the upstream server cut off is made again when its tool may be called again", async () => {
  const { url } = await shared();
  await start(url, "once-1", "crash_once", { marker: join(temporaryFolder(), "marker") });
  expect(await endOf(url, "once-1")).toMatchObject({ result: [{ text: "done at last" }] });
});

test("bad input is refused before anything is stored", async () => {
  const { url } = await shared();
  const refused = await start(url, "echo-1", "echo", { text: 7 });
  expect(JSON.stringify(refused)).toContain("input/text must be string");
  expect(JSON.stringify(await callTool(url, "get_task_result", { task_id: "echo-1" }))).toContain("not_found");
  expect(await start(url, "echo-1", "echo", { text: "seven" })).toMatchObject({ status: "started" });
  expect(await endOf(url, "echo-1")).toMatchObject({ result: [{ type: "text", text: "seven" }] });
});

test("a token is in no log line and in no answer", async () => {
  const server = await shared();
  await start(server.url, "leak-1", "leak");
  await start(server.url, "fail-1", "fail");
  const answers = [await endOf(server.url, "leak-1"), await endOf(server.url, "fail-1")];
  await server.waitForLine(/Upstream bad: leaked \[hidden\]/);
  const types = await callTool(server.url, "list_task_types", {});
  expect(JSON.stringify([answers, types, server.lines])).not.toContain(A_TOKEN);
});

test("a stop ends the upstream's process", async () => {
  const server = await startServer({ env: { ...settings(), TASKS_STOP_GRACE_MS: "0" } });
  await start(server.url, "hang-1", "hang");
  await server.waitForLine(/Upstream bad is connected/);
  const child = childOf(server.pid);
  expect(await server.stop()).toBe(0);
  expect(isAlive(child)).toBe(false);
});

test("after kill -9 the upstream server ends by itself; a tool that may be called again is, and another task fails", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = settings();
  const first = await startServer({ file, env });
  await start(first.url, "safe-1", "hang_once", { marker: join(temporaryFolder(), "marker") });
  await start(first.url, "stuck-1", "hang_unsafe");
  await first.waitForLine(/Upstream bad: hang_once has begun/);
  await first.waitForLine(/Processing callback task stuck-1/);
  const child = childOf(first.pid);
  await first.kill();
  await until("the upstream's process is gone", async () => !isAlive(child));
  const second = await startServer({ file, env });
  expect(await endOf(second.url, "safe-1")).toMatchObject({ result: [{ text: "done at last" }] });
  expect(await endOf(second.url, "stuck-1")).toMatchObject({
    status: "failed",
    error: expect.stringContaining("Interrupted: an earlier run of bad/hang_unsafe was cut off and may have been done"),
  });
});

test("after a restart the limit of calls of a tool holds before its server has started", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = settings({ concurrency: 2 });
  const statuses = async (url: string) => {
    const { tasks } = await callTool<{ tasks: { status: string }[] }>(url, "list_tasks", {});
    return tasks.map(({ status }) => status).toSorted();
  };
  const bounded = ["pending", "pending", "running", "running"];
  const first = await startServer({ file, env });
  for (const taskId of ["h1", "h2", "h3", "h4"]) await start(first.url, taskId, "hang");
  await until("two run", async () => (await statuses(first.url)).join() === bounded.join());
  await first.kill();
  const second = await startServer({ file, env });
  await second.waitForLine(/Upstream bad is connected/);
  expect(await statuses(second.url)).toEqual(bounded);
  await callTool(second.url, "cancel_task", { task_id: "h1" });
  await until(
    "the next one runs",
    async () => (await statuses(second.url)).join() === "cancelled,pending,running,running",
  );
});

test("an invalid configuration stops the start, with one line for each problem", () => {
  const file = join(temporaryFolder(), "mcp.json");
  const mcpServers = {
    "no way": { callbacks: { allow: ["*"] } },
    both: { command: "x", url: "http://localhost", callbacks: { allow: [] } },
    unset: { command: "x", env: { TOKEN: "${NOT_SET_ANYWHERE}" }, callbacks: { allow: ["*"] } },
    typo: { command: "x", callbacks: { allow: ["*"], timeoutMS: 5 } },
    ignored: { command: 7 },
  };
  writeFileSync(file, JSON.stringify({ mcpServers }));
  const env = serverEnv({ UPSTREAMS: file });
  const { status, stderr } = spawnSync(process.execPath, [cli, "serve"], { env, encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr.trim().split("\n").slice(1)).toEqual([
    "  UPSTREAMS mcpServers.no way must have a name of 1 to 40 letters, digits and _ . - to be part of a task type",
    "  UPSTREAMS mcpServers.no way must have a command or a url",
    "  UPSTREAMS mcpServers.both must have a command or a url, not both",
    "  UPSTREAMS mcpServers.unset.env.TOKEN needs the environment variable NOT_SET_ANYWHERE, which is not set",
    '  UPSTREAMS unknown setting "timeoutMS" in mcpServers.typo.callbacks, leave it out',
  ]);
});

function childOf(pid: number): number {
  const listed = spawnSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).stdout.split("\n");
  const line = listed.find((text) => text.includes(misbehaving) && Number(text.trim().split(/\s+/)[1]) === pid);
  if (line === undefined) throw new Error(`No child of ${pid}`);
  return Number.parseInt(line, 10);
}

function isAlive(pid: number): boolean {
  return (
    spawnSync("ps", ["-p", String(pid), "-o", "stat="], { encoding: "utf8" })
      .stdout.trim()
      .replace(/^Z.*/, "") !== ""
  );
}
