import { expect, test } from "vitest";
import { freePort, startServer } from "../support/server.ts";
import type { TestServer } from "../support/server.ts";

/** A server that listens, without MCP until it gets SIGUSR2. */
async function startHeld(env: Record<string, string> = {}): Promise<TestServer> {
  const preload = [new URL("../support/hold-mcp.mjs", import.meta.url).href];
  const server = await startServer({ preload, quietOnPort: await freePort(), env });
  await server.waitForLine("Held");
  return server;
}

const listTools = (url: string) =>
  fetch(`${url}/mcp`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });

test("a request to MCP that comes before its code is there waits for it, and nothing else does", async () => {
  const server = await startHeld();
  const answer = listTools(server.url);
  let isAnswered = false;
  void answer.then(() => (isAnswered = true));
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect((await fetch(`${server.url}/webhook/me`)).status).toBe(200);
  expect(isAnswered).toBe(false);
  expect(server.lines.join("\n")).not.toContain("MCP endpoint");
  server.process.kill("SIGUSR2");
  expect(await (await answer).json()).toMatchObject({ result: { tools: expect.any(Array) } });
  await server.waitForLine("   - register_callback");
});

test("code for MCP that cannot be loaded ends the process with the reason, and whoever waited is not left waiting", async () => {
  const server = await startHeld({ MCP_CODE_IS_BROKEN: "true" });
  const answer = listTools(server.url);
  answer.catch(() => {});
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  server.process.kill("SIGUSR2");
  expect(await server.ended()).toBe(1);
  expect(server.lines.join("\n")).toContain("stderr: Error: The code is broken");
  await expect(answer).rejects.toThrow("fetch failed");
});

test("SIGTERM while MCP's code is loaded stops the server as soon as it is there", async () => {
  const server = await startHeld();
  server.process.kill("SIGTERM");
  server.process.kill("SIGUSR2");
  expect(await server.ended()).toBe(0);
});
