import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { compileCache } from "../support/spawn-server.ts";
import { serveMcp } from "./serve-mcp.ts";

const MANIFEST = createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json");
const { bin } = z
  .object({ bin: z.object({ "mcp-inspector": z.string() }) })
  .parse(JSON.parse(readFileSync(MANIFEST, "utf8")));
const INSPECTOR = join(dirname(MANIFEST), bin["mcp-inspector"]);
/** The module that the launcher imports for `--cli`. */
const COMMAND_LINE = pathToFileURL(join(dirname(MANIFEST), "clients", "cli", "build", "index.js")).href;
const CALLS = fileURLToPath(new URL("../support/inspector-calls.mjs", import.meta.url));
const TOOL_ERROR_EXIT = 5;

describe.each([[], ["--protocol-era", "modern"]])("the Inspector's command line %s %s", (...flags) => {
  it("accepts the list of tools, and calls each tool", async () => {
    const { url, toolNames } = await serveMcp();
    const { ask, end } = inspectOften();
    const listed = resultOf(await ask(url, [...flags, "--method", "tools/list", "--strict"]));
    expect(listed).not.toHaveProperty("schemaFindings");
    expect(listed).toMatchObject({ tools: toolNames.map((name) => ({ name })) });
    const call = async (name: string, given: Record<string, unknown>): Promise<unknown> => {
      const options = ["--method", "tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(given)];
      return resultOf(await ask(url, [...flags, ...options]))["structuredContent"];
    };
    const registration = { task_id: "t", client_id: "b", callback_url: "http://localhost:8011/webhook/b" };
    const registered = await call("register_callback", registration);
    expect(registered).toMatchObject({ status: "registered" });
    const { callback_id } = z.object({ callback_id: z.string() }).parse(registered);
    expect(await call("start_task_with_callbacks", { task_id: "t", client_id: "a" })).toMatchObject({
      status: "started",
    });
    expect(await call("get_task_result", { task_id: "t" })).toMatchObject({ status: "pending" });
    expect(await call("get_registered_callbacks", { task_id: "t" })).toMatchObject({ callback_count: 1 });
    expect(await call("rotate_callback_secret", { callback_id })).toMatchObject({ status: "rotated" });
    expect(await call("redeliver", { task_id: "t" })).toMatchObject({ redelivered: 0 });
    expect(await call("send_test_event", { callback_id })).toMatchObject({ status: "failed" });
    expect(await call("diagnose_callback", { callback_id })).toMatchObject({ status: "failed" });
    expect(await call("enable_callback", { callback_id })).toMatchObject({ status: "active" });
    expect(await call("list_task_types", {})).toMatchObject({
      task_types: expect.arrayContaining([expect.objectContaining({ task_type: "demo" })]),
    });
    expect(await call("list_tasks", {})).toMatchObject({ tasks: [{ task_id: "t" }] });
    expect(await call("list_subscriptions", {})).toMatchObject({ subscription_count: 0 });
    expect(await call("unregister_callback", { callback_id })).toMatchObject({ status: "removed" });
    expect(await end()).toEqual({ code: 0, stderr: "" });
  });

  it("shows a tool's error as an error", async () => {
    const { url } = await serveMcp();
    const options = ["--method", "tools/call", "--tool-name", "get_task_result", "--tool-arg", "task_id=never"];
    const { code, stdout } = await inspect(url, [...flags, ...options]);
    expect(code).toBe(TOOL_ERROR_EXIT);
    expect(stdout).toContain("not_found");
  });
});

/** Runs it with the Node that runs the tests: the `node` on the PATH may be too old. */
async function inspect(
  url: string,
  options: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = [INSPECTOR, "--cli", ...argumentsFor(url, options)];
  const { promise, resolve } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>();
  const child = execFile(
    process.execPath,
    args,
    { env: { ...process.env, ...compileCache() } },
    (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    },
  );
  return promise;
}

/** Each call makes a new connection, as a new process would. */
function inspectOften() {
  const child = spawn(process.execPath, [CALLS, COMMAND_LINE], { env: { ...process.env, ...compileCache() } });
  onTestFinished(() => void child.kill());
  const exited = once(child, "exit") as Promise<[number | null]>;
  const stderr = text(child.stderr);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();

  async function ask(url: string, options: readonly string[]): Promise<string> {
    child.stdin.write(`${JSON.stringify(argumentsFor(url, options))}\n`);
    const printed: string[] = [];
    for (;;) {
      const { done, value } = await lines.next();
      if (done === true) throw new Error(`The Inspector ended with ${(await exited)[0]}: ${await stderr}`);
      if (value === "\0") return printed.join("\n");
      printed.push(value);
    }
  }

  async function end() {
    child.stdin.end();
    return { code: (await exited)[0], stderr: await stderr };
  }
  return { ask, end };
}

function argumentsFor(url: string, options: readonly string[]): string[] {
  return [url, "--transport", "http", "--format", "json", ...options];
}

function resultOf(stdout: string): Record<string, unknown> {
  return z.object({ result: z.record(z.string(), z.unknown()) }).parse(JSON.parse(stdout)).result;
}
