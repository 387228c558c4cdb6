import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

/** The server gives another writer five seconds before its own writes fail. */
const PATIENCE_MS = 5000;
const HEALTH_MS_MAX = 500;

async function setUp(env: Readonly<Record<string, string>> = {}) {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const server = await startServer({ env });
  // This process is another one than the server's, as a backup tool or a shell would be.
  const other = new Database(server.file);
  onTestFinished(() => void other.close());
  return { receiver, server, other, hook: `${receiver.url}/hook` };
}

/** Asks /health over and over until `whileTrue` is not; returns the longest that an answer took. */
async function slowestHealth(url: string, whileTrue: () => boolean): Promise<number> {
  let slowest = 0;
  while (whileTrue()) {
    const before = performance.now();
    expect((await fetch(`${url}/health`)).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - before);
    await sleep(10);
  }
  return slowest;
}

test("another program writes for three seconds: /health answers all the while, and calls are answered afterwards", async () => {
  const { receiver, server, other, hook } = await setUp();
  other.exec("begin immediate");
  let isWaiting = true;
  const calls = Promise.all([register(server.url, "t1", "c1", hook), start(server.url, "t1")]).finally(() => {
    isWaiting = false;
  });
  const end = Date.now() + 3000;
  const slowest = await slowestHealth(server.url, () => Date.now() < end);
  expect(isWaiting).toBe(true);
  other.exec("commit");
  expect(await calls).toMatchObject([{ status: "registered" }, { status: "started" }]);
  expect(slowest).toBeLessThan(HEALTH_MS_MAX);
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
  const [refused, slowest] = await Promise.all([
    register(server.url, "t2", "c1", hook).catch(String),
    slowestHealth(
      server.url,
      () => !server.lines.some((line) => line.includes("💥 Internal failure in recordAttempt")),
    ),
  ]);
  expect(refused).toContain("Internal error");
  expect(slowest).toBeLessThan(HEALTH_MS_MAX);
  expect(receiver.requests).toHaveLength(1);

  other.exec("commit");
  expect(await settledDelivery(server.url, "t1")).toMatchObject({
    status: "delivered",
    attempts: [
      { number: 1, status_code: 503 },
      { number: 2, status_code: 204 },
    ],
  });
  expect(receiver.requests).toHaveLength(2);
  expect(receiver.requests[1]!.at - receiver.requests[0]!.at).toBeGreaterThan(PATIENCE_MS);
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
