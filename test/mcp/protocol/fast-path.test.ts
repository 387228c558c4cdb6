import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { until } from "../../support/until.ts";
import { serveMcp } from "../serve-mcp.ts";
import { rpc, send } from "../wire.ts";
import type { WireRequest } from "../wire.ts";

/** A request with `_meta` in its params is answered by the SDK's own server, one without by the fast path. */
function request(method: string, params: object | undefined, id: string | number = 7): WireRequest {
  return {
    headers: { "mcp-protocol-version": "2025-11-25" },
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
  };
}

const start = (taskId: string) => ({
  name: "start_task_with_callbacks",
  arguments: { task_id: taskId, client_id: "starter" },
});

describe("a plain request is answered as the SDK's own server answers it, byte for byte", () => {
  it.each<[string, string, object | undefined]>([
    ["tools/list", "tools/list", {}],
    ["a call", "tools/call", { name: "get_registered_callbacks", arguments: { task_id: "task-1" } }],
    ["a call that is refused", "tools/call", { name: "get_task_result", arguments: { task_id: "unknown-task" } }],
    ["arguments that do not hold", "tools/call", { name: "get_task_result", arguments: { task: "1" } }],
    ["no arguments", "tools/call", { name: "get_task_result" }],
    ["an unknown tool", "tools/call", { name: "nothing" }],
    ["a name that is none", "tools/call", { name: 7 }],
    ["arguments that are a list", "tools/call", { name: "get_task_result", arguments: [] }],
    ["no params", "tools/call", {}],
  ])("%s", async (_, method, params) => {
    const { port } = await serveMcp();
    const plain = await send(port, request(method, params));
    const bySdk = await send(port, request(method, { ...params, _meta: {} }));
    expect(plain.text).toBe(bySdk.text);
    expect(plain.status).toBe(bySdk.status);
    expect({ ...plain.headers, date: null }).toEqual({ ...bySdk.headers, date: null });
  });

  it("an unexpected error, which is logged", async () => {
    const { port, store, emitted } = await serveMcp();
    await store.close();
    const params = { name: "get_task_result", arguments: { task_id: "task-1" } };
    const plain = await send(port, request("tools/call", params));
    const bySdk = await send(port, request("tools/call", { ...params, _meta: {} }));
    expect(plain.text).toBe(bySdk.text);
    expect(plain.text).toContain("-32603");
    expect(emitted.map(({ kind }) => kind)).toEqual(["internal.failed", "internal.failed"]);
  });

  it("a text as id, and params left out", async () => {
    const { port } = await serveMcp();
    const listed = await send(port, request("tools/list", undefined, "seven"));
    expect(JSON.parse(listed.text)).toMatchObject({ id: "seven", result: { tools: expect.anything() } });
  });
});

it("requests of many clients at once, all with the same id, each get their own answer", async () => {
  const { port } = await serveMcp();
  const ids = Array.from({ length: 20 }, (_, index) => `task-${index}`);
  const answers = await Promise.all(ids.map((id) => rpc(port, request("tools/call", start(id)))));
  expect(answers.map(({ id }) => id)).toEqual(ids.map(() => 7));
  const started = answers.map(({ result }) => (result as { structuredContent: { task_id: string } }).structuredContent);
  expect(started.map(({ task_id }) => task_id)).toEqual(ids);
});

it("two principals at the same time, with the same id, get their own answers", async () => {
  const tokens = ["alice", "bob"].map((name) => ({ name, token: `${name}-token` }));
  const { port } = await serveMcp({ tokens });
  const as = (name: string, wire: WireRequest) =>
    rpc(port, { ...wire, headers: { ...wire.headers, authorization: `Bearer ${name}-token` } });
  await as("alice", request("tools/call", start("hers")));
  const ask = request("tools/call", { name: "get_task_result", arguments: { task_id: "hers" } });
  const [hers, his] = await Promise.all([as("alice", ask), as("bob", ask)]);
  expect(JSON.stringify(hers.result)).toContain("pending");
  expect(JSON.stringify(his.result)).toContain("not_found");
});

it("an answer has its Content-Length, in bytes", async () => {
  const { port } = await serveMcp();
  const { headers, text } = await send(port, request("tools/call", start("⏳")));
  expect(text).toContain("⏳");
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(text)));
});

it("a client that disconnects ends the wait of its request", async () => {
  const served = await serveMcp();
  const { body } = request("tools/call", { name: "run_task", arguments: { task_id: "t1" } });
  const socket = connect(served.port, "127.0.0.1");
  socket.write(
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Accept: application/json, text/event-stream\r\nContent-Length: ${Buffer.byteLength(body!)}\r\n\r\n${String(body)}`,
  );
  await until("it waits", () => served.clock.sleeping === 1);
  socket.destroy();
  await until("no request waits", () => served.clock.sleeping === 0);
  expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
});
