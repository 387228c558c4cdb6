import { expect, onTestFinished, test } from "vitest";
import { history, register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A wait within two seconds keeps the claim, a longer one is parked in the store. */
const NEAR_MS = 800;
const PARKED_MS = 2500;
const shiftClock = new URL("../support/shift-clock.mjs", import.meta.url).href;

async function setUp(jumpMs: number, waitMs: number) {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const env = { CLOCK_JUMP_MS: String(jumpMs), RETRY_SCHEDULE_MS: String(waitMs), DEMO_TASK_MS: "300" };
  const server = await startServer({ env, preload: [shiftClock] });
  async function jump() {
    server.process.kill("SIGUSR2");
    await server.waitForLine(`clock moved by ${jumpMs} ms`);
  }
  async function begin(taskId: string) {
    await register(server.url, taskId, taskId, `${receiver.url}/${taskId}`);
    await start(server.url, taskId);
  }
  const postsFor = (taskId: string) => receiver.requests.filter(({ path }) => path === `/${taskId}`);
  return { receiver, server, jump, begin, postsFor };
}

test.each([
  ["forward by an hour", HOUR_MS],
  ["forward by a day", DAY_MS],
  ["back by an hour", -HOUR_MS],
  ["back by a day", -DAY_MS],
])("the clock jumps %s: a running task, an attempt and a near wait go on as if it had not", async (_, jumpMs) => {
  const { receiver, server, jump, begin, postsFor } = await setUp(jumpMs, NEAR_MS);
  const answering = Promise.withResolvers<() => void>();
  receiver.respondWith(({ path }, response) => {
    if (path === "/attempt") return answering.resolve(() => response.end());
    response.writeHead(path === "/wait" && postsFor("wait").length === 1 ? 503 : 204).end();
  });
  await Promise.all([begin("attempt"), begin("wait")]);
  const answer = await answering.promise;
  await server.waitForLine("Callback to wait returned status 503");
  await begin("task");
  await jump();
  answer();

  const [attempt, wait, task] = await Promise.all(
    ["attempt", "wait", "task"].map((taskId) => settledDelivery(server.url, taskId)),
  );
  expect(attempt).toMatchObject({ status: "delivered", attempts: [{ number: 1, status_code: 200 }] });
  expect(attempt!.attempts[0]!.duration_ms).toBeGreaterThanOrEqual(0);
  expect(wait).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(postsFor("wait")[1]!.at - postsFor("wait")[0]!.at).toBeGreaterThanOrEqual(NEAR_MS);
  expect(task).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(4);
});

test("the clock jumps forward by a day during a long wait: the retry is overdue, and comes once", async () => {
  const { receiver, server, jump, begin } = await setUp(DAY_MS, PARKED_MS);
  receiver.respondWith(503);
  await begin("t1");
  await server.waitForLine("next attempt in");
  await jump();
  receiver.respondWith(204);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(receiver.requests).toHaveLength(2);
});

test("the clock jumps back by an hour during a long wait: the retry waits for its time, which a clock set right brings back", async () => {
  const { receiver, server, jump, begin, postsFor } = await setUp(-HOUR_MS, PARKED_MS);
  receiver.respondWith(({ path }, response) => response.writeHead(path === "/t1" ? 503 : 204).end());
  await begin("t1");
  await server.waitForLine("next attempt in");
  await jump();
  await begin("t2");
  expect(await settledDelivery(server.url, "t2")).toMatchObject({ status: "delivered", attempt_count: 1 });
  const waiting = (await history(server.url, "t1")).callbacks[0]!.deliveries;
  expect(waiting).toMatchObject([{ status: "pending", attempt_count: 1 }]);

  receiver.respondWith(204);
  await server.stop();
  const again = await startServer({ file: server.file });
  expect(await settledDelivery(again.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 2 });
  expect(postsFor("t1")).toHaveLength(2);
});
