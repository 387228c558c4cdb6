import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, history, register, start } from "../support/call-tool.ts";
import { startServer } from "../support/server.ts";

test("old history is gone after a restart, what is open stays, and the task_id may be used again", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  // The second attempt of the pending delivery is due in a day.
  const env = { RETRY_SCHEDULE_MS: "86400000" };
  const first = await startServer({ file, env });
  await register(first.url, "done", "c1", `http://localhost:${first.port}/webhook/c1`);
  await register(first.url, "pending", "c1", "http://localhost:1/no-listener");
  await register(first.url, "never-started", "c1", `http://localhost:${first.port}/webhook/c1`);
  await start(first.url, "done");
  await first.waitForLine("All callbacks sent for done");
  await start(first.url, "pending");
  await first.waitForLine("⚠️ Callback to c1 failed: connection_refused");
  await first.stop();

  const second = await startServer({ file, env: { ...env, RETENTION_DAYS: "0.0000001" } });
  await second.waitForLine("🧹 Removed old history: 1 tasks, 1 callbacks, 1 deliveries, 1 attempts");
  expect(await callTool(second.url, "get_task_result", { task_id: "done" })).toMatchObject({
    error: { code: "not_found" },
  });
  expect(await history(second.url, "done")).toMatchObject({ callback_count: 0 });
  expect(await callTool(second.url, "get_task_result", { task_id: "pending" })).toMatchObject({ status: "completed" });
  expect(await history(second.url, "pending")).toMatchObject({ callbacks: [{ deliveries: [{ attempt_count: 1 }] }] });
  expect(await history(second.url, "never-started")).toMatchObject({ callback_count: 1 });
  expect(await start(second.url, "done", "another")).toMatchObject({ status: "started", registered_callbacks: 0 });
  expect(await (await fetch(`${second.url}/health`)).json()).toMatchObject({ pending_callbacks: 2 });
});
