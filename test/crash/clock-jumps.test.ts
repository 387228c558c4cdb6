import { expect, onTestFinished, test } from "vitest";
import { T0 } from "../support/builders.ts";
import { history, register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** For a wait within two seconds the claim is kept. For a longer one the delivery goes back to the store. */
const SHORT_MS = 800;
const LONG_MS = 2500;
const TASK_MS = 300;

/** A server with a clock that the test advances. Its timers continue through a jump, as real ones do. */
async function setUp(waitMs: number) {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const env = { RETRY_SCHEDULE_MS: String(waitMs), DEMO_TASK_MS: String(TASK_MS) };
  const server = await startServer({ env, clockAt: T0 });
  async function begin(taskId: string) {
    // So that its wait differs from that of the task before.
    await server.advance(1);
    await register(server.url, taskId, taskId, `${receiver.url}/${taskId}`);
    await start(server.url, taskId);
    await server.sleepsFor(TASK_MS);
  }
  const postsFor = (taskId: string) => receiver.requests.filter(({ path }) => path === `/${taskId}`);
  return { receiver, server, begin, postsFor };
}

test.each([
  ["forward by an hour", HOUR_MS],
  ["forward by a day", DAY_MS],
  ["back by an hour", -HOUR_MS],
  ["back by a day", -DAY_MS],
])("the clock jumps %s: a running task, an attempt and a short wait continue unchanged", async (_, jumpMs) => {
  const { receiver, server, begin, postsFor } = await setUp(SHORT_MS);
  const answering = Promise.withResolvers<() => void>();
  receiver.respondWith(({ path }, response) => {
    if (path === "/attempt") return answering.resolve(() => response.end());
    response.writeHead(path === "/wait" && postsFor("wait").length === 1 ? 503 : 204).end();
  });
  await begin("attempt");
  await begin("wait");
  await server.advance(TASK_MS);
  const answer = await answering.promise;
  await server.sleepsFor(SHORT_MS);
  await begin("task");
  await server.jump(jumpMs);
  answer();

  const attempt = await settledDelivery(server.url, "attempt");
  expect(attempt).toMatchObject({ status: "delivered", attempts: [{ number: 1, status_code: 200 }] });
  expect(attempt.attempts[0]!.duration_ms).toBeGreaterThanOrEqual(0);
  await Promise.all([server.sleepsFor(TASK_MS), server.sleepsFor(SHORT_MS - 1)]);
  expect([postsFor("wait"), postsFor("task")].map(({ length }) => length)).toEqual([1, 0]);
  await server.advance(SHORT_MS);
  expect(await settledDelivery(server.url, "wait")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(await settledDelivery(server.url, "task")).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(4);
});

test("the clock jumps forward by a day during a long wait: the retry is overdue, and is sent once", async () => {
  const { receiver, server, begin } = await setUp(LONG_MS);
  receiver.respondWith(503);
  await begin("t1");
  await server.advance(TASK_MS);
  await server.sleepsFor(LONG_MS);
  await server.jump(DAY_MS);
  receiver.respondWith(204);
  await server.advance(LONG_MS);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(receiver.requests).toHaveLength(2);
});

test("the clock jumps back by an hour during a long wait: the retry waits for its time, and is sent when the clock is correct again", async () => {
  const { receiver, server, begin, postsFor } = await setUp(LONG_MS);
  receiver.respondWith(({ path }, response) => response.writeHead(path === "/t1" ? 503 : 204).end());
  await begin("t1");
  await server.advance(TASK_MS);
  await server.sleepsFor(LONG_MS);
  await server.jump(-HOUR_MS);
  await begin("t2");
  await server.advance(TASK_MS);
  expect(await settledDelivery(server.url, "t2")).toMatchObject({ status: "delivered", attempt_count: 1 });
  await server.advance(LONG_MS);
  const waiting = (await history(server.url, "t1")).callbacks[0]!.deliveries;
  expect(waiting).toMatchObject([{ status: "pending", attempt_count: 1 }]);

  receiver.respondWith(204);
  expect(await server.stop()).toBe(0);
  const again = await startServer({ file: server.file, clockAt: T0 + 1 + TASK_MS + LONG_MS });
  expect(await settledDelivery(again.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(postsFor("t1")).toHaveLength(2);
});
