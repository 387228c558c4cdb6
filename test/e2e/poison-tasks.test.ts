/** Tasks that take the whole process down: none of them for ever, and no other with them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";
import { spawnServer } from "../support/spawn-server.ts";
import { until } from "../support/until.ts";

function aModule(...types: readonly (readonly [name: string, run: string])[]): string {
  const file = join(temporaryFolder(), "tasks.ts");
  const exported = types.map(
    ([name, run]) =>
      `defineTask({ name: "${name}", description: "Of a test.", input: z.object({}), async run(_, { signal }) { ${run} } })`,
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

const EXITS = ["exits", "await new Promise((resolve) => setTimeout(resolve, 300)); process.exit(1);"] as const;
/** Longer than the other leaves the process alive. */
const STEADY = ["steady", "await new Promise((resolve) => setTimeout(resolve, 600)); return 'done';"] as const;
const FOREVER = ["forever", "(function turnsForEver() { for (;;); })();"] as const;

test("a task that kills its process each time fails after five deaths, and those that ran beside it do not", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { TASKS_MODULE: aModule(EXITS, STEADY) };
  const receiver = await receiverWith();
  const first = await startServer({ file, env });
  for (const taskId of ["s1", "s2", "s3"]) await begin(first.url, taskId, "steady");
  await begin(first.url, "t1", "exits", { callbacks: [{ client_id: "c", callback_url: receiver.url }] });
  expect(await first.ended()).toBe(1);
  let server = spawnServer({ file, env });
  let deaths = 1;
  const isOver = () => receiver.requests.length > 0;
  while (
    !isOver() &&
    (await Promise.race([server.ended().then(() => true), until("the end", isOver).then(() => false)]))
  ) {
    deaths++;
    expect(deaths).toBeLessThan(10);
    server = spawnServer({ file, env });
  }
  onTestFinished(() => server.kill());
  expect(deaths).toBe(5);
  const { data } = JSON.parse(receiver.requests[0]!.body);
  expect(data).toMatchObject({
    task_id: "t1",
    status: "failed",
    error: "The server died 5 times in a row while this task was running, so it is not run again.",
  });
  const url = `http://127.0.0.1:${await server.listening()}`;
  for (const taskId of ["s1", "s2", "s3"])
    await until(`${taskId} is completed`, async () => (await result(url, taskId))["status"] === "completed");
}, 60_000);

test("a handler that never yields ends the process, which says what ran and where it was", async () => {
  const server = await startServer({ env: { TASKS_MODULE: aModule(FOREVER), TASKS_STALL_MS: "500" } });
  void begin(server.url, "t1", "forever").catch(() => {});
  await server.ended();
  expect(server.process.signalCode).toBe("SIGKILL");
  const said = server.lines.filter((line) => line.startsWith("stderr: ")).join("\n");
  expect(said).toContain('(TASKS_STALL_MS) while tasks of these types did: ["forever"]');
  expect(said).toMatch(/at turnsForEver \(file:.*tasks\.ts:\d+:\d+\)/);
});

test("neither a handler that yields nor a process that was stopped as a whole is taken for one", async () => {
  const long = ["long", "await new Promise((resolve) => setTimeout(resolve, 2500)); return 'done';"] as const;
  const server = await startServer({ env: { TASKS_MODULE: aModule(long), TASKS_STALL_MS: "500" } });
  await begin(server.url, "t1", "long");
  server.process.kill("SIGSTOP");
  const stoppedAt = Date.now();
  await until("it was stopped for long", () => Date.now() - stoppedAt > 1500);
  server.process.kill("SIGCONT");
  await until("it is completed", async () => (await result(server.url, "t1"))["status"] === "completed");
});

test("TASKS_STALL_MS=0 leaves a handler that holds everything up alone", async () => {
  const busy = ["busy", "const end = Date.now() + 1500; while (Date.now() < end); return 'done';"] as const;
  const server = await startServer({ env: { TASKS_MODULE: aModule(busy), TASKS_STALL_MS: "0" } });
  await begin(server.url, "t1", "busy");
  await until("it is completed", async () => (await result(server.url, "t1"))["status"] === "completed");
});
