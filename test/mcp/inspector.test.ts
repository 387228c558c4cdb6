import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { compileCache } from "../support/spawn-server.ts";
import { serveMcp } from "./serve-mcp.ts";

const MANIFEST = createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json");
const { bin } = z
  .object({ bin: z.object({ "mcp-inspector": z.string() }) })
  .parse(JSON.parse(readFileSync(MANIFEST, "utf8")));
const INSPECTOR = join(dirname(MANIFEST), bin["mcp-inspector"]);
const TOOL_ERROR_EXIT = 5;

describe.each([[], ["--protocol-era", "modern"]])("the Inspector's command line %s %s", (...era) => {
  it("finds nothing to complain of in the list of tools", async () => {
    const { url, toolNames } = await serveMcp();
    const { code, stdout, stderr } = await inspect(url, [...era, "--method", "tools/list", "--strict"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const listed = resultOf(stdout);
    expect(listed).not.toHaveProperty("schemaFindings");
    expect(listed).toMatchObject({ tools: toolNames.map((name) => ({ name })) });
  });

  it("calls each tool", async () => {
    const { url } = await serveMcp();
    const call = async (name: string, given: Record<string, unknown>): Promise<unknown> => {
      const options = ["--method", "tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(given)];
      const { code, stdout, stderr } = await inspect(url, [...era, ...options]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return resultOf(stdout)["structuredContent"];
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
  }, 120_000);

  it("shows a tool's error as one", async () => {
    const { url } = await serveMcp();
    const options = ["--method", "tools/call", "--tool-name", "get_task_result", "--tool-arg", "task_id=never"];
    const { code, stdout } = await inspect(url, [...era, ...options]);
    expect(code).toBe(TOOL_ERROR_EXIT);
    expect(stdout).toContain("not_found");
  });
});

/** Runs it under the Node that runs the tests: the `node` on the PATH may be too old for it. */
async function inspect(
  url: string,
  options: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = [INSPECTOR, "--cli", url, "--transport", "http", "--format", "json", ...options];
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

function resultOf(stdout: string): Record<string, unknown> {
  return z.object({ result: z.record(z.string(), z.unknown()) }).parse(JSON.parse(stdout)).result;
}
