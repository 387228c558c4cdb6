import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

/** How long the process stands still. */
const PAUSE_MS = 3000;
const ANSWER_MS = 300;

async function setUp(env: Readonly<Record<string, string>>) {
  const receiver = await startReceiver((_, response) => {
    setTimeout(() => response.writeHead(204).end(), ANSWER_MS);
  });
  onTestFinished(() => receiver.close());
  const server = await startServer({ env });
  async function pause() {
    server.process.kill("SIGSTOP");
    await sleep(PAUSE_MS);
    server.process.kill("SIGCONT");
  }
  return { receiver, server, hook: `${receiver.url}/hook`, pause };
}

test("stopped and continued during attempts: the answers that came meanwhile count, and nothing is sent twice", async () => {
  const { receiver, server, hook, pause } = await setUp({});
  const tasks = ["t1", "t2", "t3"];
  for (const task of tasks) {
    await register(server.url, task, "c1", hook);
    await start(server.url, task);
  }
  await receiver.waitFor(1);
  await pause();
  for (const task of tasks) {
    expect(await settledDelivery(server.url, task)).toMatchObject({ status: "delivered", attempt_count: 1 });
  }
  expect(receiver.requests).toHaveLength(tasks.length);
});

test("stopped for longer than an attempt may take: the history tells of every POST, and the callback gets through", async () => {
  const { receiver, server, hook, pause } = await setUp({ ATTEMPT_TIMEOUT_MS: "1000", RETRY_SCHEDULE_MS: "50,50" });
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  await receiver.waitFor(1);
  await pause();
  const { status, attempts } = await settledDelivery(server.url, "t1");
  expect(status).toBe("delivered");
  expect(receiver.requests).toHaveLength(attempts.length);
});

test("stopped during a wait that ends meanwhile: the retry comes once", async () => {
  const { receiver, server, hook, pause } = await setUp({ RETRY_SCHEDULE_MS: "2500" });
  receiver.respondWith(503);
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  await server.waitForLine("next attempt in");
  receiver.respondWith(204);
  await pause();
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(receiver.requests).toHaveLength(2);
});
