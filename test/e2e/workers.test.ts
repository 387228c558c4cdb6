import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, register } from "../support/call-tool.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";

const WORKER_TOKENS = "w1:token-one,w2:token-two";

interface Claimed {
  readonly id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly lease_token: string;
  readonly lease_expires_at: string;
}

async function post(url: string, path: string, body: object, token = "token-one") {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

async function claim(url: string, token = "token-one"): Promise<Claimed> {
  const { status, body } = await post(url, "/tasks/claim", { types: ["external"] }, token);
  if (status !== 200) throw new Error(`The claim was answered with ${status}`);
  return body;
}

const startExternal = (url: string, more: object = {}) =>
  callTool(url, "start_task_with_callbacks", { task_id: "t1", client_id: "c", task_type: "external", ...more });

test("killed while a worker works: it completes its task after the restart, and the callback gets its POST", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await receiverWith();
  const env = { WORKER_TOKENS };
  const first = await startServer({ file, env });
  await register(first.url, "t1", "c1", receiver.url);
  await startExternal(first.url);
  const task = await claim(first.url);
  await first.kill();

  // Longer down than a lease lasts: the worker could not have renewed it.
  const second = await startServer({ file, env, clockAt: Date.parse(task.lease_expires_at) + 1 });
  const done = await post(second.url, `/tasks/${task.id}/complete`, { lease_token: task.lease_token, result: "made" });
  expect(done).toEqual({ status: 200, body: { id: task.id, task_id: "t1", status: "completed" } });
  const [request] = await receiver.waitFor(1);
  expect(JSON.parse(request!.body)).toMatchObject({ type: "task_completed", data: { result: "made" } });
});

test("killed right after the end was stored and not answered: the worker's repeated report gets its answer", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({ file, env: { WORKER_TOKENS }, killAt: { line: "✅ Task t1 completed" } });
  await startExternal(first.url);
  const task = await claim(first.url);
  const report = { lease_token: task.lease_token, result: "made" };
  await expect(post(first.url, `/tasks/${task.id}/complete`, report)).rejects.toThrow("fetch failed");
  await first.ended();
  const second = await startServer({ file, env: { WORKER_TOKENS } });
  expect(await post(second.url, `/tasks/${task.id}/complete`, report)).toMatchObject({ status: 200 });
  expect(await callTool(second.url, "get_task_result", { task_id: "t1" })).toMatchObject({ result: "made" });
});

test("a worker that dies with the server loses its task to another", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { WORKER_TOKENS, WORKER_LEASE_MS: "10000" };
  const first = await startServer({ file, env });
  await startExternal(first.url);
  await claim(first.url);
  await first.kill();
  const second = await startServer({ file, env, clockAt: Date.now() });
  await second.sleepsFor(10_000);
  await second.advance(10_000);
  expect(await claim(second.url, "token-two")).toMatchObject({ task_id: "t1", attempt: 2 });
  expect(second.lines.some((line) => line.startsWith("⌛ Worker w1"))).toBe(true);
});

test("a completion URL survives a restart, ends its task once and stands in no log", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({ file, env: { LOG_LEVEL: "debug" } });
  const { completion_url } = await startExternal(first.url, { completion_url: true });
  expect(completion_url).toMatch(new RegExp(`^http://localhost:${first.port}/complete/[\\w-]{32}$`));
  await first.kill();
  const second = await startServer({ file, env: { LOG_LEVEL: "debug" } });
  const { pathname } = new URL(String(completion_url));
  expect(await post(second.url, pathname, { result: "green" })).toMatchObject({ status: 200 });
  expect(await post(second.url, pathname, { result: "green" })).toMatchObject({ status: 409 });
  await second.waitForLine("/complete/…");
  expect([...first.lines, ...second.lines].join("\n")).not.toContain(pathname.slice(-32));
});

test("stopping answers the workers that wait", async () => {
  const server = await startServer({ env: { WORKER_TOKENS }, clockAt: Date.now() });
  const waiting = post(server.url, "/tasks/claim", { types: ["external"], wait_ms: 50_000 });
  await server.sleepsFor(50_000);
  const closed = server.stop();
  // Those that are cut off when the grace is over get no answer.
  expect(await waiting).toMatchObject({ status: 204 });
  expect(await closed).toBe(0);
});
