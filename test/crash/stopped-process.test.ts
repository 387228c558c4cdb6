import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { history, register, settledDelivery, start } from "../support/call-tool.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";
import { stopFor } from "../support/stop-for.ts";
import { until } from "../support/until.ts";

/** Sends no response until `answerAll`, and then responds at once. */
async function startWaitingReceiver() {
  const open: ServerResponse[] = [];
  const receiver = await receiverWith((_, response) => void open.push(response));
  async function answerAll(): Promise<void> {
    receiver.respondWith(204);
    await Promise.all(open.map(sent));
  }
  return { receiver, hook: `${receiver.url}/hook`, answerAll };
}

/** Resolves when the operating system of the server has the response, whether or not the server process reads it. */
function sent(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.writeHead(204).end(() => resolve());
  return promise;
}

test("stopped and continued during attempts: the responses of that time count, and no POST is sent twice", async () => {
  const { receiver, hook, answerAll } = await startWaitingReceiver();
  const server = await startServer();
  const tasks = ["t1", "t2", "t3"];
  for (const task of tasks) {
    await register(server.url, task, "c1", hook);
    await start(server.url, task);
  }
  await receiver.waitFor(tasks.length);
  await stopFor(server, 0, answerAll);
  for (const task of tasks) {
    expect(await settledDelivery(server.url, task)).toMatchObject({ status: "delivered", attempt_count: 1 });
  }
  expect(receiver.requests).toHaveLength(tasks.length);
});

test("stopped for longer than the deadline of an attempt: the history has each POST, and the callback is delivered", async () => {
  const attemptMs = 1000;
  const { receiver, hook, answerAll } = await startWaitingReceiver();
  // As many attempts as a busy machine may need.
  const waits = Array.from({ length: 15 }, () => 50).join();
  const server = await startServer({ env: { ATTEMPT_TIMEOUT_MS: String(attemptMs), RETRY_SCHEDULE_MS: waits } });
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  await receiver.waitFor(1);
  await stopFor(server, 1.2 * attemptMs, answerAll);
  const { status, attempts } = await settledDelivery(server.url, "t1");
  expect(status).toBe("delivered");
  const timedOut = attempts.filter(({ error }) => error === "timeout").length;
  // An attempt that timed out may never have reached the receiver.
  expect(receiver.requests.length).toBeGreaterThanOrEqual(attempts.length - timedOut);
  expect(receiver.requests.length).toBeLessThanOrEqual(attempts.length);
});

test("stopped during a wait that ends in that time: the retry is sent once", async () => {
  // Longer than a wait that keeps the claim.
  const waitMs = 2100;
  const receiver = await receiverWith((_, response) => {
    response.writeHead(receiver.requests.length === 1 ? 503 : 204).end();
  });
  const server = await startServer({ env: { RETRY_SCHEDULE_MS: String(waitMs) } });
  await register(server.url, "t1", "c1", `${receiver.url}/hook`);
  await start(server.url, "t1");
  await server.waitForLine("next attempt in");
  const [waiting] = (await history(server.url, "t1")).callbacks[0]!.deliveries;
  // Null when it has been made already, on a very busy machine.
  const dueAt = waiting!.next_attempt_at === null ? 0 : Date.parse(waiting!.next_attempt_at);
  await stopFor(server, 0, () => until("the retry is due", () => Date.now() > dueAt));
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(receiver.requests).toHaveLength(2);
});
