/** Messages that do not quite follow the protocol, and requests that older clients send to every server. */
import { describe, expect, it } from "vitest";
import { serveMcp } from "../serve-mcp.ts";
import { legacyRequest, modernRequest, rpc, WIRE_VERSIONS } from "../wire.ts";
import type { WireRequest } from "../wire.ts";

const body = (message: object): WireRequest => ({
  headers: { "mcp-protocol-version": "2025-11-25" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 7, ...message }),
});
const CALL = { name: "list_task_types" };

describe("null counts as absent", () => {
  it.each<[string, object]>([
    ["params of a list", { method: "tools/list", params: null }],
    ["params of ping", { method: "ping", params: null }],
    ["params of tasks/list", { method: "tasks/list", params: null }],
    ["_meta", { method: "tools/list", params: { _meta: null } }],
    ["_meta of a call", { method: "tools/call", params: { ...CALL, _meta: null } }],
    ["a progress token", { method: "tools/call", params: { ...CALL, _meta: { progressToken: null } } }],
    ["arguments", { method: "tools/call", params: { ...CALL, arguments: null } }],
    ["task", { method: "tools/call", params: { ...CALL, task: null } }],
    ["a cursor", { method: "tools/list", params: { cursor: null } }],
    ["a cursor of tasks", { method: "tasks/list", params: { cursor: null } }],
  ])("%s (2025-11-25)", async (_what, message) => {
    const { port } = await serveMcp();
    expect(await rpc(port, body(message))).toMatchObject({ status: 200, id: 7, result: expect.anything() });
  });

  it("in the arguments of a call and elsewhere in the message (2026-07-28)", async () => {
    const { port } = await serveMcp();
    const call = modernRequest("tools/call", { ...CALL, arguments: null, _meta: { progressToken: null } });
    expect((await rpc(port, call)).result).toMatchObject({ structuredContent: expect.anything() });
    const list = modernRequest("tools/list", { cursor: null });
    expect((await rpc(port, list)).result).toMatchObject({ tools: expect.any(Array) });
  });

  it("in a client's description of itself at the start (2025-11-25)", async () => {
    const { port } = await serveMcp();
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: { roots: null, sampling: {}, elicitation: { form: null }, experimental: null },
      clientInfo: { name: "c", version: "0", title: null, websiteUrl: null, icons: null },
      _meta: null,
    };
    expect(await rpc(port, body({ method: "initialize", params }))).toMatchObject({
      status: 200,
      result: { protocolVersion: "2025-11-25", serverInfo: expect.anything() },
    });
  });

  it("in a client's description of itself with each request (2026-07-28)", async () => {
    const { port } = await serveMcp();
    const capabilities = { roots: null, elicitation: { form: null }, extensions: null };
    const { headers = {}, body: text = "" } = modernRequest("tools/call", CALL, capabilities);
    const message = JSON.parse(String(text));
    const { _meta: meta } = message.params;
    meta["io.modelcontextprotocol/clientInfo"].title = null;
    meta["io.modelcontextprotocol/logLevel"] = null;
    expect(await rpc(port, { headers, body: JSON.stringify(message) })).toMatchObject({
      status: 200,
      result: { structuredContent: expect.anything() },
    });
  });

  it("in the ttl of a task (2025-11-25)", async () => {
    const { port } = await serveMcp();
    const params = { name: "run_task", arguments: {}, task: { ttl: null } };
    expect(await rpc(port, body({ method: "tools/call", params }))).toMatchObject({
      result: { task: { status: "working" } },
    });
  });

  it("a tool that needs arguments names them, for null and for none", async () => {
    const { port } = await serveMcp();
    for (const given of [null, undefined]) {
      const message = { method: "tools/call", params: { name: "get_task_result", arguments: given } };
      const { result } = await rpc(port, body(message));
      expect(result).toMatchObject({ isError: true });
      expect(JSON.stringify(result)).toContain("task_id is missing");
    }
  });

  it("a notification with params null is accepted", async () => {
    const { port } = await serveMcp();
    const message = '{"jsonrpc":"2.0","method":"notifications/initialized","params":null}';
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: message,
    });
    expect(response.status).toBe(202);
  });
});

describe("lists that clients ask for though the server does not declare them", () => {
  const lists = [
    ["prompts/list", "prompts"],
    ["resources/list", "resources"],
    ["resources/templates/list", "resourceTemplates"],
  ] as const;

  it.each(lists)("%s is an empty list (2025-11-25)", async (method, key) => {
    const { port } = await serveMcp();
    expect(await rpc(port, legacyRequest(method))).toMatchObject({ status: 200, result: { [key]: [] } });
  });

  it.each(lists)("%s is an unknown method (2026-07-28)", async (method) => {
    const { port } = await serveMcp();
    expect(await rpc(port, modernRequest(method))).toMatchObject({ status: 404, error: { code: -32601 } });
  });

  it.each(lists)("%s with another server's cursor is -32602", async (method) => {
    const { port } = await serveMcp();
    for (const cursor of ["abc", "", 7])
      expect(await rpc(port, legacyRequest(method, { cursor }))).toMatchObject({ error: { code: -32602 } });
  });
});

describe.each(WIRE_VERSIONS)("requests that a client should not send ($version)", ({ requestOf }) => {
  it("tools/list with another server's cursor is -32602", async () => {
    const { port } = await serveMcp();
    for (const cursor of ["abc", "", 7])
      expect(await rpc(port, requestOf("tools/list", { cursor }))).toMatchObject({ error: { code: -32602 } });
  });

  it.each(["prompts/get", "completion/complete", "logging/setLevel"])("%s is no method", async (method) => {
    const { port } = await serveMcp();
    const params = { name: "p", level: "info" };
    expect(await rpc(port, requestOf(method, params))).toMatchObject({ error: { code: -32601 } });
  });
});

it("the capabilities do not declare the empty lists", async () => {
  const { port } = await serveMcp();
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "0" } };
  for (const request of [legacyRequest("initialize", params), modernRequest("server/discover")]) {
    const { result } = await rpc(port, request);
    expect(result).toMatchObject({ capabilities: { tools: {} } });
    expect(result).not.toHaveProperty("capabilities.prompts");
    expect(result).not.toHaveProperty("capabilities.resources");
  }
});

it("ping is answered (2025-11-25)", async () => {
  const { port } = await serveMcp();
  for (const params of [undefined, {}, { _meta: {} }])
    expect(await rpc(port, body({ method: "ping", params }))).toMatchObject({ status: 200, id: 7, result: {} });
});
