import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { startServer } from "../support/server.ts";
import { spawnServer } from "../support/spawn-server.ts";
import { until } from "../support/until.ts";

/** A module outside any project: the server provides what it imports. */
function aModule(text: string): string {
  const file = join(temporaryFolder(), "tasks.ts");
  writeFileSync(
    file,
    `import { z } from "zod"; import { defineTask, PermanentError } from "mcp-callbacks/tasks"; import type { TaskContext } from "mcp-callbacks/tasks";\n${text}`,
  );
  return file;
}

const GREET = `export default [defineTask({
  name: "greet",
  description: "Greets by name.",
  input: z.object({ name: z.string().min(1) }),
  output: z.object({ greeting: z.string() }),
  expectedMs: 20,
  run: async ({ name }: { name: string }, { attempt }: TaskContext) => ({ greeting: "Hello " + name + ", try " + attempt }),
})];`;

test("a module's task types are listed with their schemas, checked before anything is stored, and run", async () => {
  const { url } = await startServer({ env: { TASKS_MODULE: aModule(GREET) } });
  const { task_types } = await callTool<{ task_types: { task_type: string }[] }>(url, "list_task_types", {});
  expect(task_types.map(({ task_type }) => task_type)).toEqual(["demo", "external", "greet"]);
  expect(task_types[2]).toMatchObject({
    input_schema: { type: "object", required: ["name"] },
    output_schema: { type: "object", required: ["greeting"] },
    expected_ms: 20,
    done_by: "handler",
  });
  const start = { task_id: "t1", client_id: "c", task_type: "greet" };
  expect(await callTool(url, "start_task_with_callbacks", { ...start, input: { name: 7 } })).toMatchObject({
    error: { code: "invalid", message: expect.stringContaining("input.name must be a string") },
  });
  expect(await callTool(url, "get_task_result", { task_id: "t1" })).toMatchObject({ error: { code: "not_found" } });
  await callTool(url, "start_task_with_callbacks", { ...start, input: { name: "Ann" } });
  const ended = await until("the end", async () => {
    const answer = await callTool(url, "get_task_result", { task_id: "t1" });
    return answer["status"] === "completed" ? answer : null;
  });
  expect(ended["result"]).toEqual({ greeting: "Hello Ann, try 1" });
});

test("all problems of the modules are reported at once, with exit code 2", async () => {
  const missing = join(temporaryFolder(), "missing.ts");
  const empty = aModule("export const nothing = 1;");
  const broken = aModule('throw new Error("no such device");');
  const twice = aModule(
    `${GREET}\nexport const demo = defineTask({ name: "demo", description: "d", input: z.string(), run: () => 1 });`,
  );
  const again = aModule(GREET);
  const modules = [missing, empty, broken, twice, again].join(",");
  const file = join(temporaryFolder(), "callbacks.db");
  const server = spawnServer({ file, env: { TASKS_MODULE: modules } });
  const stderr: string[] = [];
  server.process.stderr?.on("data", (chunk: Buffer) => stderr.push(String(chunk)));
  expect(await server.ended()).toBe(2);
  const said = stderr.join("");
  expect(said).toContain(`TASKS_MODULE ${missing} does not exist`);
  expect(said).toContain(`TASKS_MODULE ${empty} exports no task type`);
  expect(said).toContain(`TASKS_MODULE ${broken} cannot be loaded: Error: no such device`);
  expect(said).toContain(`TASKS_MODULE ${twice} task type "demo": the name is taken by this server`);
  expect(said).toContain(`TASKS_MODULE ${twice} task type "demo": input must be a schema of an object`);
  expect(said).toContain(`TASKS_MODULE ${again} task type "greet": the name is taken by ${twice}`);
});
