import { expect, onTestFinished, test } from "vitest";
import { callTool, history, register, settledDelivery, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { shareServer, sources, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

test("the demo flow gives the contract's answers and log lines", async () => {
  // As npm start runs it; the others are of the bundle.
  const server = await startServer({ cli: sources });
  const hook = `http://localhost:${server.port}/webhook/inspector_b`;
  expect(await register(server.url, "demo_task_123", "inspector_b", hook)).toEqual({
    status: "registered",
    task_id: "demo_task_123",
    client_id: "inspector_b",
    callback_url: hook,
    message: `✅ Callback registered! You'll receive HTTP POST to ${hook} when task demo_task_123 completes.`,
    registered_callbacks: 1,
    timestamp: expect.stringMatching(TIME),
    callback_id: expect.stringMatching(/^cb_\w{26}$/),
    signing_secret: expect.stringMatching(/^whsec_[\w+/]{43}=$/),
  });
  expect(await start(server.url, "demo_task_123", "inspector_a")).toEqual({
    status: "started",
    task_id: "demo_task_123",
    client_id: "inspector_a",
    message: "🚀 Task started! Will notify 1 registered callbacks when complete.",
    registered_callbacks: 1,
    processing_time: "~0.05 seconds",
    timestamp: expect.stringMatching(TIME),
  });
  await server.waitForLine("📞 All callbacks sent for demo_task_123");

  expect(await callTool(server.url, "get_task_result", { task_id: "demo_task_123" })).toEqual({
    task_id: "demo_task_123",
    status: "completed",
    result: "Task demo_task_123 completed successfully with data: [processed_data_123]",
    message: "✅ Task completed!",
    timestamp: expect.stringMatching(TIME),
  });
  expect(await history(server.url, "demo_task_123")).toMatchObject({
    callback_count: 1,
    callbacks: [
      { client_id: "inspector_b", status: "active", deliveries: [{ status: "delivered", attempt_count: 1 }] },
    ],
  });
  const story = server.lines.filter((line) => /🔨|✅|📞|📤|🎯/u.test(line));
  expect(story).toEqual([
    "🔨 Processing callback task demo_task_123...",
    "✅ Task demo_task_123 completed, sending callbacks...",
    "📞 Sending 1 callbacks for task demo_task_123",
    `📤 Sending callback to inspector_b at ${hook}`,
    "🎯 Webhook received for inspector_b: task_completed - demo_task_123",
    "✅ Callback delivered to inspector_b",
    "📞 All callbacks sent for demo_task_123",
  ]);
  expect(server.lines).toContain('127.0.0.1 - "POST /webhook/inspector_b" 200');
  expect(server.lines.slice(0, 4)).toEqual([
    "🚀 Starting FastMCP Server with Webhook Callbacks",
    `📡 MCP endpoint: http://localhost:${server.port}/mcp/`,
    `🪝 Test webhook: http://localhost:${server.port}/webhook/{client_id}`,
    `🏥 Health check: http://localhost:${server.port}/health`,
  ]);
  expect(server.lines.join("\n")).not.toContain("whsec_");
});

const shared = shareServer(() => ({ env: { RETRY_SCHEDULE_MS: "" } }));

test("two clients registered for one task both get their POST, each under its own name", async () => {
  const server = await shared();
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  for (const client of ["a", "b"]) await register(server.url, "two", client, `${receiver.url}/${client}`);
  expect(await start(server.url, "two")).toMatchObject({ registered_callbacks: 2 });
  const requests = await receiver.waitFor(2);
  expect(requests.map(({ path }) => path).toSorted()).toEqual(["/a", "/b"]);
  expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

test("a failed task POSTs task_failed with its error", async () => {
  const server = await shared();
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  await register(server.url, "failing", "a", receiver.url);
  await callTool(server.url, "start_task_with_callbacks", {
    task_id: "failing",
    client_id: "a",
    input: { fail: "no disk" },
  });
  const [request] = await receiver.waitFor(1);
  expect(JSON.parse(request!.body)).toMatchObject({
    type: "task_failed",
    data: { status: "failed", error: "no disk", message: "❌ Task failed" },
  });
  expect(await callTool(server.url, "get_task_result", { task_id: "failing" })).toMatchObject({
    status: "failed",
    error: "no disk",
    result: null,
  });
});

test("registering after the end delivers at once", async () => {
  const server = await shared();
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  await start(server.url, "ended");
  await until(
    "the end",
    async () => (await callTool(server.url, "get_task_result", { task_id: "ended" }))["status"] === "completed",
  );
  const answer = await register(server.url, "ended", "late", receiver.url);
  expect(answer["message"]).toMatch(/already/);
  await receiver.waitFor(1);
});

test("a receiver that refuses, redirects, answers 500 or 100 MB: each is in the history, and the server goes on", async () => {
  const server = await shared();
  const receiver = await startReceiver((request, response) => {
    if (request.path === "/redirect") response.writeHead(307, { location: `${receiver.url}/elsewhere` }).end();
    else if (request.path === "/500") response.writeHead(500).end("oops");
    else if (request.path === "/flood") flood(response);
    else response.end();
  });
  onTestFinished(() => receiver.close());
  const gone = await startReceiver();
  await gone.close();
  const urls = ["/redirect", "/500", "/flood", "/fine"].map((path) => receiver.url + path);
  for (const [index, url] of [...urls, gone.url].entries()) await register(server.url, "bad", `c${index}`, url);
  await start(server.url, "bad");
  await server.waitForLine("📞 All callbacks sent for bad");
  const { callbacks } = await history(server.url, "bad");
  expect(
    callbacks.map(({ deliveries: [delivery] }) => [
      delivery!.status,
      delivery!.attempts[0]!.status_code,
      delivery!.attempts[0]!.error,
    ]),
  ).toEqual([
    ["exhausted", 307, "http_3xx"],
    ["exhausted", 500, "http_5xx"],
    ["delivered", 200, null],
    ["delivered", 200, null],
    ["exhausted", null, "connection_refused"],
  ]);
  expect(receiver.requests.some(({ path }) => path === "/elsewhere")).toBe(false);
  expect(server.lines).toContain("❌ Gave up on callback to c1 after 1 attempts: http_5xx");
});

test("a receiver that hangs is in the history as a timeout, and the server goes on", async () => {
  const server = await startServer({ env: { RETRY_SCHEDULE_MS: "", ATTEMPT_TIMEOUT_MS: "100" } });
  const receiver = await startReceiver(() => {});
  onTestFinished(() => receiver.close());
  await register(server.url, "t1", "c1", `${receiver.url}/hang`);
  await start(server.url, "t1");
  expect(await settledDelivery(server.url, "t1")).toMatchObject({
    status: "exhausted",
    attempts: [{ status_code: null, error: "timeout" }],
  });
  await server.waitForLine("❌ Gave up on callback to c1 after 1 attempts: timeout");
});

function flood(response: import("node:http").ServerResponse): void {
  response.writeHead(200, { "content-length": String(100 * 1024 * 1024) });
  const chunk = Buffer.alloc(1024 * 1024);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}
