/** `mcp-callbacks call` against a running server, as a person types it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { readable } from "../../src/cli/readable.ts";
import { cli, serverEnv, startServer } from "../support/server.ts";

const TOKEN = "alices-access-token-0123456789";

async function call(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, "call", ...args], {
    env: serverEnv(env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: child.exitCode, stdout, stderr };
}

test("a tool's answer is readable, or one line of JSON; its error is a sentence and exit code 1", async () => {
  const { url } = await startServer({ env: { AUTH_TOKENS: `alice:${TOKEN}`, DEMO_TASK_MS: "0" } });
  const env = { MCP_CALLBACKS_URL: url, MCP_CALLBACKS_TOKEN: TOKEN };
  const start = ["start_task_with_callbacks", '{"task_id":"t1","client_id":"me"}'];
  const started = await call(start, env);
  expect(started).toMatchObject({ code: 0, stderr: "" });
  expect(started.stdout).toMatch(/^🚀 Task started!.*\n\nstatus: started\ntask_id: t1\n/);
  const listed = await call(["list_tasks", "--json", "--server", `${url}/mcp/`], { MCP_CALLBACKS_TOKEN: TOKEN });
  expect(JSON.parse(listed.stdout)).toMatchObject({ tasks: [{ task_id: "t1" }] });
  const unknown = await call(["get_task_result", '{"task_id":"t2"}'], env);
  expect(unknown).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^Task t2 is unknown: /) });
  expect(await call(["no_such_tool"], env)).toMatchObject({ code: 1, stderr: "Unknown tool: no_such_tool\n" });
  expect(await call(start, { MCP_CALLBACKS_URL: url })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Unauthorized: /),
  });
});

test("arguments that are not a JSON object, a URL that is not valid and a missing server are each one sentence", async () => {
  expect(await call(["list_tasks", "[1]"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^The arguments must be a JSON object, such as /),
  });
  expect(await call(["list_tasks", "--server", "localhost"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^--server must be an http\(s\) URL, not localhost\n/),
  });
  expect(await call(["list_tasks", "--server", "http://127.0.0.1:1"])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^No server answers at http:\/\/127\.0\.0\.1:1\/mcp.*npx mcp-callbacks\n$/),
  });
});

test("lists, objects and empty values are indented lines, and no value controls the terminal", () => {
  const answer = {
    message: "Two of them",
    none: [],
    nothing: null,
    callbacks: [{ id: "a", deliveries: [{ n: 1, ok: true }] }, { id: "b\u001B[2J" }],
    input: { deep: { er: "x" } },
    words: ["one", "two"],
  };
  expect(readable(answer).split("\n")).toEqual([
    "Two of them",
    "",
    "none: []",
    "nothing: -",
    "callbacks:",
    "  - id: a",
    "    deliveries:",
    "      - n: 1",
    "        ok: true",
    "  - id: b\u{FFFD}[2J",
    "input:",
    "  deep:",
    "    er: x",
    "words:",
    "  - one",
    "  - two",
  ]);
});
