import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { until } from "../../support/until.ts";
import { serveMcp } from "../serve-mcp.ts";
import { modernRequest, rpc, send } from "../wire.ts";
import type { WireRequest } from "../wire.ts";

const message = (id: number | string, method: string, params?: object) => ({ jsonrpc: "2.0", id, method, params });
const notification = { jsonrpc: "2.0", method: "notifications/initialized" };
const start = (id: number, taskId: string) =>
  message(id, "tools/call", { name: "start_task_with_callbacks", arguments: { task_id: taskId, client_id: "c" } });

const batch = (messages: readonly unknown[], version?: string): WireRequest => ({
  headers: { "mcp-protocol-version": version },
  body: JSON.stringify(messages),
});

async function answersOf(port: number, request: WireRequest) {
  const { status, headers, text } = await send(port, request);
  return { status, type: headers["content-type"], answers: JSON.parse(text) as unknown[] };
}

describe("a batch of protocol 2025-03-26", () => {
  it.each([undefined, "2025-03-26", "2024-11-05"])("is answered with one JSON text (version %s)", async (version) => {
    const { port, store } = await serveMcp();
    const messages = [message(1, "ping"), notification, start(2, "t1"), message("three", "tools/list")];
    expect(await answersOf(port, batch(messages, version))).toMatchObject({
      status: 200,
      type: "application/json",
      answers: [
        { id: 1, result: {} },
        { id: 2, result: { structuredContent: { task_id: "t1", status: "started" } } },
        { id: "three", result: { tools: expect.any(Array) } },
      ],
    });
    expect(await store.findTask("local", "t1")).not.toBeNull();
  });

  it("of one message is an array of one answer", async () => {
    const { port } = await serveMcp();
    const { answers } = await answersOf(port, batch([message(1, "ping")]));
    expect(answers).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
  });

  it("answers each message by itself: an error of one does not affect the others", async () => {
    const { port } = await serveMcp();
    const wrong = [7, null, [], "x", {}, { jsonrpc: "1.0", id: 3, method: "ping" }, message(4, "nothing")];
    const { status, answers } = await answersOf(port, batch([...wrong, message(5, "ping"), message(5, "ping")]));
    expect(status).toBe(200);
    const idsAndCodes = answers.map((each) => {
      const { id, error } = each as { id: unknown; error?: { code: number } };
      return [id, error?.code];
    });
    expect(idsAndCodes).toEqual([
      [null, -32600],
      [null, -32600],
      [null, -32600],
      [null, -32600],
      [null, -32700],
      [3, -32700],
      [4, -32601],
      [5, undefined],
      [5, undefined],
    ]);
  });

  it("is one event for a client that accepts no JSON", async () => {
    const { port } = await serveMcp();
    const { headers, ...rest } = batch([message(1, "ping")]);
    const answer = await send(port, { ...rest, headers: { ...headers, accept: "text/event-stream" } });
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "text/event-stream" },
      text: 'event: message\ndata: [{"result":{},"jsonrpc":"2.0","id":1}]\n\n',
    });
  });

  it("of notifications gets 202", async () => {
    const { port } = await serveMcp();
    expect(await send(port, batch([notification, notification]))).toMatchObject({ status: 202, text: "" });
  });

  it("that cancels its own request is still answered", async () => {
    const { port } = await serveMcp();
    const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
    const { answers } = await answersOf(port, batch([message(1, "tools/list"), cancelled]));
    expect(answers).toMatchObject([{ id: 1, result: { tools: expect.any(Array) } }]);
  });

  it.each([
    ["tasks/result", { taskId: "t" }],
    ["events/stream", { name: "task_completed", arguments: {} }],
  ])("has no streams: %s is refused in it", async (method, params) => {
    const { port } = await serveMcp();
    const { answers } = await answersOf(port, batch([message(1, method, params), message(2, "ping")]));
    expect(answers).toMatchObject([
      { id: 1, error: { code: -32600, message: expect.stringContaining("request of its own") } },
      { id: 2, result: {} },
    ]);
  });

  it("sends no progress", async () => {
    const served = await serveMcp({ runTaskWaitMs: 0 });
    const params = { name: "run_task", arguments: {}, _meta: { progressToken: 1 } };
    const { type, answers } = await answersOf(served.port, batch([message(1, "tools/call", params)]));
    expect(type).toBe("application/json");
    expect(answers).toMatchObject([{ id: 1, result: { structuredContent: { status: "pending" } } }]);
  });

  it("treats params that are null as absent", async () => {
    const { port } = await serveMcp();
    const { answers } = await answersOf(port, batch([{ jsonrpc: "2.0", id: 1, method: "tools/list", params: null }]));
    expect(answers).toMatchObject([{ id: 1, result: { tools: expect.any(Array) } }]);
  });

  it("has at most fifty messages, and a longer one is refused as a whole", async () => {
    const { port, store } = await serveMcp();
    const starts = Array.from({ length: 51 }, (_, index) => start(index, `t${index}`));
    const refused = await rpc(port, batch(starts));
    expect(refused).toMatchObject({ status: 400, id: null, error: { code: -32600 } });
    expect(refused.error?.message).toContain("at most 50 messages");
    expect(await store.counts()).toMatchObject({ activeTasks: 0 });
    const { answers } = await answersOf(port, batch(starts.slice(1)));
    expect(answers).toHaveLength(50);
    expect(await store.counts()).toMatchObject({ activeTasks: 50 });
  });

  it("leaves nothing behind when its client disconnects", async () => {
    const served = await serveMcp();
    const calls = [1, 2].map((id) => message(id, "tools/call", { name: "run_task", arguments: {} }));
    const body = JSON.stringify(calls);
    const socket = connect(served.port, "127.0.0.1");
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until("both wait", () => served.clock.sleeping === 2);
    socket.destroy();
    await until("no request waits", () => served.clock.sleeping === 0);
    expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
  });
});

describe("a batch that is refused, with -32600 and what to do", () => {
  it.each<[string, WireRequest, string]>([
    ["of 2025-06-18", batch([message(1, "ping")], "2025-06-18"), "send one message per request"],
    ["of 2025-11-25", batch([message(1, "ping")], "2025-11-25"), "send one message per request"],
    ["of an unknown version", batch([message(1, "ping")], "2099-01-01"), "send one message per request"],
    [
      "of 2026-07-28",
      { ...modernRequest("tools/list"), body: `[${String(modernRequest("tools/list").body)}]` },
      "send one message per request",
    ],
    ["that is empty", batch([]), "empty"],
    ["that is empty, of a later version", batch([], "2025-11-25"), "send one message per request"],
  ])("%s", async (_what, request, advice) => {
    const { port, emitted } = await serveMcp();
    const answer = await rpc(port, request);
    expect(answer).toMatchObject({ status: 400, id: null, error: { code: -32600 } });
    expect(answer.error?.message).toContain(advice);
    expect(emitted).toEqual([]);
  });

  it("nested too deep", async () => {
    const { port } = await serveMcp();
    const body = `[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${"[".repeat(1000)}${"]".repeat(1000)}}}]`;
    expect(await rpc(port, { body })).toMatchObject({ status: 400, error: { code: -32600 } });
  });
});
