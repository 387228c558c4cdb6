/** Tasks that end the process: each is given up after some crashes, and no other task fails with it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";
import { spawnServer } from "../support/spawn-server.ts";
import { stopFor } from "../support/stop-for.ts";
import { until } from "../support/until.ts";

function aModule(...types: readonly (readonly [name: string, run: string])[]): string {
  const file = join(temporaryFolder(), "tasks.ts");
  const exported = types.map(
    ([name, run]) =>
      `defineTask({ name: "${name}", description: "Of a test.", input: z.object({}), async run(_, { attempt }) { ${run} } })`,
  );
  const imports = 'import { z } from "zod"; import { defineTask } from "mcp-callbacks/tasks";';
  writeFileSync(file, `${imports} export default [${exported.join(",\n")}];`);
  return file;
}

const begin = (url: string, taskId: string, taskType: string, more: object = {}) =>
  callTool(url, "start_task_with_callbacks", {
    task_id: taskId,
    client_id: "c",
    task_type: taskType,
    input: {},
    ...more,
  });
const result = (url: string, taskId: string) => callTool(url, "get_task_result", { task_id: taskId });

const EXITS = ["exits", "process.exit(1);"] as const;
/** Runs until the other task has ended the process twice; from then on that one runs alone. */
const STEADY = ["steady", "if (attempt < 3) await new Promise(() => {}); return 'done';"] as const;
const FOREVER = ["forever", "(function turnsForEver() { for (;;); })();"] as const;

test("a task that kills its process each time fails after five crashes, and the tasks beside it do not", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { TASKS_MODULE: aModule(EXITS, STEADY) };
  const receiver = await receiverWith();
  const first = await startServer({ file, env });
  for (const taskId of ["s1", "s2", "s3"]) {
    await begin(first.url, taskId, "steady");
    await first.waitForLine(`callback task ${taskId}`);
  }
  const callbacks = [{ client_id: "c", callback_url: receiver.url }];
  await begin(first.url, "t1", "exits", { callbacks }).catch(() => {});
  expect(await first.ended()).toBe(1);
  const isOver = receiver.waitFor(1);
  for (let crash = 2; crash <= 5; crash++) {
    const server = spawnServer({ file, env });
    onTestFinished(() => server.kill());
    expect(await Promise.race([server.ended(), isOver])).toBe(1);
  }
  const { url } = await startServer({ file, env });
  const [request] = await isOver;
  const { data } = JSON.parse(request!.body);
  expect(data).toMatchObject({
    task_id: "t1",
    status: "failed",
    error: "The server died 5 times in a row while this task was running, so it is not run again.",
  });
  for (const taskId of ["s1", "s2", "s3"])
    await until(`${taskId} is completed`, async () => (await result(url, taskId))["status"] === "completed");
});

test("a handler that never yields ends the process, with its task type and its stack", async () => {
  const server = await startServer({ env: { TASKS_MODULE: aModule(FOREVER), TASKS_STALL_MS: "500" } });
  void begin(server.url, "t1", "forever").catch(() => {});
  await server.ended();
  expect(server.process.signalCode).toBe("SIGKILL");
  const said = server.lines.filter((line) => line.startsWith("stderr: ")).join("\n");
  expect(said).toContain('(TASKS_STALL_MS) while tasks of these types did: ["forever"]');
  expect(said).toMatch(/at turnsForEver \(file:.*tasks\.ts:\d+:\d+\)/);
});

test("a handler that yields, and a process that was stopped as a whole, do not end the process", async () => {
  const stallMs = 1000;
  const continued = Promise.withResolvers<void>();
  const gate = await receiverWith((_, response) => void continued.promise.then(() => response.end()));
  // A few more checks follow.
  const looks = `for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, ${stallMs / 10}));`;
  const long = ["long", `await fetch("${gate.url}"); ${looks} return 'done';`] as const;
  const server = await startServer({ env: { TASKS_MODULE: aModule(long), TASKS_STALL_MS: String(stallMs) } });
  await begin(server.url, "t1", "long");
  await gate.waitFor(1);
  await stopFor(server, 1.5 * stallMs);
  continued.resolve();
  await until("it is completed", async () => (await result(server.url, "t1"))["status"] === "completed");
});

test("with TASKS_STALL_MS=0 a handler that never yields does not end the process", async () => {
  const busy = ["busy", "const end = Date.now() + 300; while (Date.now() < end); return 'done';"] as const;
  const server = await startServer({ env: { TASKS_MODULE: aModule(busy), TASKS_STALL_MS: "0" } });
  await begin(server.url, "t1", "busy");
  await until("it is completed", async () => (await result(server.url, "t1"))["status"] === "completed");
});
