import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { T0 } from "../support/builders.ts";
import { callTool, register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import type { Handler } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { spawnServer } from "../support/spawn-server.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const TASK_MS = 300;
/** How long the server waits before it tries again to store a result. */
const STORE_RETRY_MS = 1000;

/** A server whose database is on a small disk, and a receiver. */
async function setUp(skip: (reason: string) => never, env: Readonly<Record<string, string>> = {}) {
  const disk = mountSmallDisk(2);
  if ("reason" in disk) return skip(disk.reason);
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const file = join(disk.folder, "callbacks.db");
  // With a clock that the test advances: until then no task ends, and no write is tried again.
  const server = await startServer({ file, env: { DEMO_TASK_MS: String(TASK_MS), ...env }, clockAt: T0 });
  return { disk, receiver, file, server, hook: `${receiver.url}/hook` };
}

test("a full disk: calls get an error, the server goes on, and works again once there is room", async ({ skip }) => {
  const { disk, server, hook, receiver } = await setUp(skip);
  await register(server.url, "t1", "c1", hook);
  disk.fill();
  await expect(start(server.url, "t1")).rejects.toThrow("Internal error");
  await expect(register(server.url, "t1", "c2", hook)).rejects.toThrow("Internal error");
  expect(await callTool(server.url, "get_registered_callbacks", { task_id: "t1" })).toMatchObject({
    callback_count: 1,
  });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);

  disk.free();
  expect(await start(server.url, "t1")).toMatchObject({ status: "started", registered_callbacks: 1 });
  await server.sleepsFor(TASK_MS);
  await server.advance(TASK_MS);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(1);
});

test("a full disk at the first start: one sentence says so, without a stack", async ({ skip }) => {
  const disk = mountSmallDisk(2);
  if ("reason" in disk) return skip(disk.reason);
  disk.fill();
  const server = spawnServer({ file: join(disk.folder, "callbacks.db") });
  onTestFinished(() => server.kill());
  let stderr = "";
  server.process.stderr?.on("data", (chunk) => (stderr += String(chunk)));
  expect(await server.ended()).toBe(1);
  expect(stderr).toMatch(
    /^The disk of the database \S+ is full \((SQLITE_FULL|ENOSPC)\); free some room and start again\.\n$/,
  );
});

test("a disk that fills up during an attempt: it is recorded once there is room, and not made again", async ({
  skip,
}) => {
  const { disk, server, hook, receiver } = await setUp(skip, { RETRY_SCHEDULE_MS: "50,50" });
  const full: Handler = (_, response) => {
    disk.fill();
    response.writeHead(503).end();
  };
  receiver.respondWith(full);
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  await server.sleepsFor(TASK_MS);
  await server.advance(TASK_MS);
  await server.waitForLine("💥 Internal failure in recordAttempt");
  expect(receiver.requests).toHaveLength(1);

  receiver.respondWith(204);
  disk.free();
  for (const waitMs of [STORE_RETRY_MS, 50]) {
    await server.sleepsFor(waitMs);
    await server.advance(waitMs);
  }
  expect(await settledDelivery(server.url, "t1")).toMatchObject({
    status: "delivered",
    attempts: [
      { number: 1, status_code: 503 },
      { number: 2, status_code: 204 },
    ],
  });
  expect(receiver.requests).toHaveLength(2);
});

test("a disk that fills up while a task runs: its end is stored once there is room", async ({ skip }) => {
  const { disk, server, hook, receiver } = await setUp(skip);
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  await server.sleepsFor(TASK_MS);
  disk.fill();
  await server.advance(TASK_MS);
  await server.waitForLine("💥 Internal failure in finishTask");
  disk.free();
  await server.sleepsFor(STORE_RETRY_MS);
  await server.advance(STORE_RETRY_MS);
  expect(await settledDelivery(server.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(1);
});

test("killed on a full disk: each acknowledged call is there when there is room again", async ({ skip }) => {
  const { disk, server, hook, receiver, file } = await setUp(skip);
  await register(server.url, "t1", "c1", hook);
  await start(server.url, "t1");
  // The task is claimed before the disk is full: otherwise it has no end to store.
  await server.sleepsFor(TASK_MS);
  disk.fill();
  await server.advance(TASK_MS);
  await server.waitForLine("💥 Internal failure in finishTask");
  await server.kill();
  disk.free();
  const again = await startServer({ file });
  expect(await settledDelivery(again.url, "t1")).toMatchObject({ status: "delivered", attempt_count: 1 });
  expect(receiver.requests).toHaveLength(1);
});
