import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import type { ServerOptions, TestServer } from "../support/server.ts";
import { newFile } from "../support/sqlite-store.ts";

/** Loaded once the port is open: all but /health, and MCP after that. */
type Part = "inside" | "endpoint";

/** A server that listens, without that code until it gets SIGUSR2. */
async function startHeld(held: Part, { env, ...options }: ServerOptions = {}): Promise<TestServer> {
  const preload = [new URL("../support/hold-code.mjs", import.meta.url).href];
  const server = await startServer({ preload, tellsPort: true, env: { HELD: held, ...env }, ...options });
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
  const server = await startHeld("endpoint");
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

test("what comes before the rest of the code is there waits for it, /health is answered, and all of it is logged", async () => {
  const server = await startHeld("inside");
  const webhook = { method: "POST", body: '{"type":"greeting"}' };
  const waiting = [
    listTools(server.url),
    fetch(`${server.url}/webhook/me`, webhook),
    fetch(`${server.url}/health`, { method: "HEAD" }),
    fetch(`${server.url}/nothing`),
  ];
  let answered = 0;
  for (const answer of waiting) void answer.then(() => answered++);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(answered).toBe(0);
  server.process.kill("SIGUSR2");
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 404]);
  expect(await (await fetch(`${server.url}/webhook/me`)).json()).toMatchObject({ count: 1 });
  for (const line of ["POST /mcp", "POST /webhook/me", "HEAD /health", "GET /nothing", "GET /health"])
    await server.waitForLine(`"${line}"`);
});

test("of Node's own modules, those that take long to load are not there when /health is answered", async () => {
  // Migrations are named by their digests.
  const server = await startHeld("inside", { file: await newFile() });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  server.process.kill("SIGUSR2");
  const loaded = (await server.waitForLine("Let go, with")).split(" ");
  expect(loaded).toContain("http");
  const slow = ["crypto", "tls", "https", "http2", "zlib", "inspector", "dns/promises"];
  expect(slow.filter((name) => loaded.includes(name))).toEqual([]);
});

test("a client that goes away while it waits is logged and leaves nothing behind", async () => {
  const server = await startHeld("inside");
  const outgoing = request({ port: server.port, path: "/webhook/gone", method: "POST" });
  outgoing.on("error", () => {});
  const { promise: sent, resolve } = Promise.withResolvers<void>();
  outgoing.write('{"type":', () => resolve());
  await sent;
  // It is with the server when one that was sent later, and then another, is answered.
  await fetch(`${server.url}/health`);
  await fetch(`${server.url}/health`);
  outgoing.destroy();
  await server.waitForLine('"POST /webhook/gone"');
  server.process.kill("SIGUSR2");
  await server.waitForLine("   - register_callback");
  expect(await (await fetch(`${server.url}/webhook/gone`)).json()).toMatchObject({ count: 0 });
  expect(server.lines.join("\n")).not.toContain("Internal failure");
});

test("what the last run left is sent as soon as the code for it is there", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startReceiver((_, response) => void (receiver.requests.length > 1 && response.end()));
  onTestFinished(() => receiver.close());
  const first = await startServer({ file });
  await register(first.url, "t1", "c1", receiver.url);
  await start(first.url, "t1");
  await receiver.waitFor(1);
  await first.kill();
  const second = await startHeld("inside", { file });
  expect(await (await fetch(`${second.url}/health`)).json()).toMatchObject({
    pending_callbacks: 1,
    completed_tasks: 1,
  });
  expect(receiver.requests).toHaveLength(1);
  second.process.kill("SIGUSR2");
  await second.waitForLine("✅ Callback delivered to c1");
});

test("a worker's lease lasts from when it can be renewed on, however long the rest of the code takes", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { WORKER_TOKENS: "w1:one", WORKER_LEASE_MS: "60000" };
  const post = (url: string, path: string, body: object) =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer one" },
      body: JSON.stringify(body),
    });
  const first = await startServer({ file, env });
  await callTool(first.url, "start_task_with_callbacks", { task_id: "t1", client_id: "c", task_type: "external" });
  const claimed = await post(first.url, "/tasks/claim", { types: ["external"] });
  const { id, lease_token } = (await claimed.json()) as { id: string; lease_token: string };
  await first.kill();
  const second = await startHeld("inside", { env, file, clockAt: Date.now() });
  const done = post(second.url, `/tasks/${id}/complete`, { lease_token, result: "made" });
  // Two leases would have run out.
  await second.advance(120_000);
  second.process.kill("SIGUSR2");
  expect((await done).status).toBe(200);
});

describe.each(["inside", "endpoint"] as const)("while %s is loaded", (held) => {
  test("code that cannot be ends the process with the reason, and whoever waited is not left waiting", async () => {
    const server = await startHeld(held, { env: { CODE_IS_BROKEN: "true" } });
    const answer = listTools(server.url);
    answer.catch(() => {});
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    server.process.kill("SIGUSR2");
    expect(await server.ended()).toBe(1);
    expect(server.lines.join("\n")).toContain("stderr: Error: The code is broken");
    await expect(answer).rejects.toThrow("fetch failed");
  });

  test("SIGTERM stops the server as soon as it is there", async () => {
    const server = await startHeld(held);
    server.process.kill("SIGTERM");
    server.process.kill("SIGUSR2");
    expect(await server.ended()).toBe(0);
  });
});
