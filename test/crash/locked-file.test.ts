import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { T0 } from "../support/builders.ts";
import { register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

/** The server waits five seconds for another writer before its own writes fail. */
const BUSY_TIMEOUT_MS = 5000;
/** Several, since the first ones may be answered before the wait begins. */
const HEALTH_REQUESTS = 20;

async function setUp(env: Readonly<Record<string, string>> = {}) {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  // With a clock that the test advances: the test decides when the wait is over.
  const server = await startServer({ env: { DEMO_TASK_MS: "0", ...env }, clockAt: T0 });
  // This process is another one than the server, as a backup tool or a shell.
  const other = new Database(server.file);
  onTestFinished(() => void other.close());
  return { receiver, server, other, hook: `${receiver.url}/hook` };
}

/** If the server blocked while it waits, as SQLite does, the first response would come after the timeout of the calls. */
async function askHealth(url: string): Promise<void> {
  for (let index = 0; index < HEALTH_REQUESTS; index++) expect((await fetch(`${url}/health`)).status).toBe(200);
}

test("another program writes for a while: /health answers in that time, and calls are answered afterwards", async () => {
  const { receiver, server, other, hook } = await setUp();
  other.exec("begin immediate");
  let isWaiting = true;
  const calls = Promise.all([register(server.url, "t1", "c1", hook), start(server.url, "t1")]).finally(() => {
    isWaiting = false;
  });
  await askHealth(server.url);
  await server.advance(BUSY_TIMEOUT_MS - 1);
  await askHealth(server.url);
  expect(isWaiting).toBe(true);
  other.exec("commit");
  expect(await calls).toMatchObject([{ status: "registered" }, { status: "started" }]);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(1);
});

test("another program writes for longer than the server waits: calls get an error, and an attempt that was made is recorded later", async () => {
  const { receiver, server, other, hook } = await setUp({ RETRY_SCHEDULE_MS: "50" });
  receiver.respondWith((_, response) => {
    if (receiver.requests.length === 1) other.exec("begin immediate");
    response.writeHead(receiver.requests.length === 1 ? 503 : 204).end();
  });
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  await receiver.waitFor(1);
  let refused: string | null = null;
  const call = register(server.url, "t2", "c1", hook).catch((error: unknown) => {
    refused = String(error);
  });
  await askHealth(server.url);
  expect(refused).toBeNull();
  await server.advance(BUSY_TIMEOUT_MS + 1);
  await server.waitForLine("💥 Internal failure in recordAttempt");
  await call;
  expect(refused).toContain("Internal error");
  expect(receiver.requests).toHaveLength(1);

  other.exec("commit");
  // The server repeats the write from time to time.
  await server.sleepsFor(1000);
  await server.advance(1000);
  await server.sleepsFor(50);
  await server.advance(50);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({
    status: "delivered",
    attempts: [
      { number: 1, status_code: 503 },
      { number: 2, status_code: 204 },
    ],
  });
  expect(receiver.requests).toHaveLength(2);
});

test("another program reads for a long time: no write waits for it, and it sees the state of its beginning", async () => {
  const { receiver, server, other, hook } = await setUp();
  const countTasks = other.prepare("select count(*) from tasks").pluck();
  other.exec("begin");
  expect(countTasks.get()).toBe(0);
  const tasks = Array.from({ length: 20 }, (_, index) => `t${index}`);
  for (const task of tasks) {
    await register(server.url, task, "c1", hook);
    await start(server.url, task);
  }
  for (const task of tasks) {
    expect(await settledDelivery(server.url, task)).toMatchObject({ status: "delivered", attempt_count: 1 });
  }
  expect(countTasks.get()).toBe(0);
  other.exec("commit");
  expect(countTasks.get()).toBe(tasks.length);
  expect(receiver.requests).toHaveLength(tasks.length);
});
