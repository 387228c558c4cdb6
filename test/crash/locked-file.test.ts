import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { T0 } from "../support/builders.ts";
import { register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

/** The server gives another writer five seconds before its own writes fail. */
const PATIENCE_MS = 5000;
/** More than a few, should one of them slip through before the wait begins. */
const LOOKS = 20;

async function setUp(env: Readonly<Record<string, string>> = {}) {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  // Its clock stands still, so that it is the test that says when the time to wait is over.
  const server = await startServer({ env: { DEMO_TASK_MS: "0", ...env }, clockAt: T0 });
  // This process is another one than the server's, as a backup tool or a shell would be.
  const other = new Database(server.file);
  onTestFinished(() => void other.close());
  return { receiver, server, other, hook: `${receiver.url}/hook` };
}

/** A server that waited for the file as SQLite does, by standing still, would have given up the calls by the first answer. */
async function askHealth(url: string): Promise<void> {
  for (let left = LOOKS; left > 0; left--) expect((await fetch(`${url}/health`)).status).toBe(200);
}

test("another program writes for a while: /health answers meanwhile, and calls are answered afterwards", async () => {
  const { receiver, server, other, hook } = await setUp();
  other.exec("begin immediate");
  let isWaiting = true;
  const calls = Promise.all([register(server.url, "t1", "c1", hook), start(server.url, "t1")]).finally(() => {
    isWaiting = false;
  });
  await askHealth(server.url);
  await server.advance(PATIENCE_MS - 1);
  await askHealth(server.url);
  expect(isWaiting).toBe(true);
  other.exec("commit");
  expect(await calls).toMatchObject([{ status: "registered" }, { status: "started" }]);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(1);
});

test("another program writes for longer than we wait: calls get an error, an attempt that was made is recorded later", async () => {
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
  await server.advance(PATIENCE_MS + 1);
  await server.waitForLine("💥 Internal failure in recordAttempt");
  await call;
  expect(refused).toContain("Internal error");
  expect(receiver.requests).toHaveLength(1);

  other.exec("commit");
  // Until then it tries again now and then.
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

test("another program reads for a long time: nothing waits for it, and it sees the state it began with", async () => {
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
