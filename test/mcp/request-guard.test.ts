import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { VERSIONS } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import { legacyRequest, modernRequest, rpc, send, WIRE_VERSIONS } from "./wire.ts";
import type { WireRequest } from "./wire.ts";

const MIB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const CHUNK = `${CHUNK_BYTES.toString(16)}\r\n${" ".repeat(CHUNK_BYTES)}\r\n`;
const CHUNKED_POST =
  "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
const LIST = legacyRequest("tools/list");
const TOKENS = [
  { name: "alice", token: "alice-token" },
  { name: "bob", token: "bob-token" },
];

describe("a request that the guard refuses, with a JSON-RPC error of id null", () => {
  it.each<[string, WireRequest, number, number]>([
    ["an opaque Origin", { ...LIST, headers: { origin: "null" } }, 403, -32000],
    ["a Host that is none", { ...LIST, headers: { host: "::" } }, 403, -32000],
    ["no content type", { ...LIST, headers: { "content-type": undefined } }, 415, -32000],
    ["text/plain", { ...LIST, headers: { "content-type": "text/plain" } }, 415, -32000],
    ["a type that only starts like JSON", { ...LIST, headers: { "content-type": "application/jsonp" } }, 415, -32000],
    ["an empty body", { body: "" }, 400, -32700],
    ["what is not JSON", { body: "{" }, 400, -32700],
    ["bytes that are not UTF-8", { body: Buffer.from([0x22, 0xff, 0x22]) }, 400, -32700],
    ["null", { body: "null" }, 400, -32600],
    ["a number", { body: "42" }, 400, -32600],
    ["a text", { body: '"tools/list"' }, 400, -32600],
    ["JSON of 100,000 levels", { body: `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}` }, 400, -32600],
    ["a message of 1 MiB and a byte", { body: " ".repeat(MIB + 1) }, 413, -32000],
    ["a message of 1 MiB and a byte, in chunks", { body: " ".repeat(MIB + 1), chunked: true }, 413, -32000],
    ["a message of 12 MiB", { body: " ".repeat(12 * MIB) }, 413, -32000],
    ["a message of 12 MiB, in chunks", { body: " ".repeat(12 * MIB), chunked: true }, 413, -32000],
  ])("%s", async (_what, wireRequest, status, code) => {
    const { port, emitted } = await serveMcp();
    const answer = await rpc(port, wireRequest);
    expect(answer).toMatchObject({ status, id: null, error: { code } });
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(emitted).toEqual([]);
  });

  it.each<[string, WireRequest, string, string, string]>([
    ["another Host", { ...LIST, headers: { host: "evil.example" } }, "Host", "evil.example", "ALLOWED_HOSTS"],
    ["with a port", { ...LIST, headers: { host: "evil.example:8011" } }, "Host", "evil.example", "ALLOWED_HOSTS"],
    [
      "another Host before a wrong method",
      { method: "PUT", headers: { host: "e.example" } },
      "Host",
      "e.example",
      "ALLOWED_HOSTS",
    ],
    [
      "another Host before OPTIONS",
      { method: "OPTIONS", headers: { host: "e.example" } },
      "Host",
      "e.example",
      "ALLOWED_HOSTS",
    ],
    [
      "another Origin",
      { ...LIST, headers: { origin: "https://evil.example" } },
      "Origin",
      "evil.example",
      "ALLOWED_ORIGINS",
    ],
  ])("%s, naming the setting in the message and in one log line", async (_what, wireRequest, header, name, setting) => {
    const { port, emitted } = await serveMcp();
    for (let time = 1; time <= 3; time++) {
      const answer = await rpc(port, wireRequest);
      expect(answer).toMatchObject({ status: 403, id: null, error: { code: -32000 } });
      expect(answer.error?.message).toBe(
        `Invalid ${header}: ${name}. The operator of this server can accept it with the setting ${setting}.`,
      );
    }
    expect(emitted).toEqual([{ kind: "request.refused", header, name, setting, isLast: false }]);
  });

  it("no more than fifty names are logged, however many are tried, and however long they are", async () => {
    const { port, emitted } = await serveMcp();
    const hosts = Array.from({ length: 60 }, (_, index) => `${index}.${"x".repeat(1000)}.example`);
    for (const host of hosts) expect(await send(port, { ...LIST, headers: { host } })).toMatchObject({ status: 403 });
    expect(emitted).toHaveLength(50);
    expect(emitted.map((each) => "isLast" in each && each.isLast)).toEqual(
      hosts.slice(0, 50).map((_, at) => at === 49),
    );
    expect(JSON.stringify(emitted[0]).length).toBeLessThan(400);
  });

  it.each(["GET", "DELETE", "PUT", "PATCH"])("%s, naming what is allowed", async (method) => {
    const { port } = await serveMcp();
    const answer = await rpc(port, { method, headers: { accept: "text/event-stream" } });
    expect(answer).toMatchObject({ status: 405, headers: { allow: "POST, OPTIONS" }, error: { code: -32000 } });
  });

  it("HEAD gets the same response without a body", async () => {
    const { port } = await serveMcp();
    expect(await send(port, { method: "HEAD" })).toMatchObject({
      status: 405,
      headers: { allow: "POST, OPTIONS" },
      text: "",
    });
  });

  it.each(["gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip", "x".repeat(5000)])(
    "a body that is encoded (%.20s), saying what to do",
    async (encoding) => {
      const { port } = await serveMcp();
      const answer = await rpc(port, { ...LIST, headers: { ...LIST.headers, "content-encoding": encoding } });
      expect(answer).toMatchObject({
        status: 415,
        headers: { "accept-encoding": "identity" },
        error: { code: -32000, message: expect.stringContaining("without Content-Encoding") },
      });
      expect(answer.text.length).toBeLessThan(400);
    },
  );

  it("a body whose Content-Length is too large, before it is sent", async () => {
    const { port } = await serveMcp();
    const socket = connect(port, "127.0.0.1");
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${MIB + 1}\r\n\r\n`,
    );
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it("a body in chunks that is too large, read to its end so that the connection serves on", async () => {
    const { port } = await serveMcp();
    const socket = connect(port, "127.0.0.1");
    socket.write(`${CHUNKED_POST}${CHUNK.repeat((12 * MIB) / CHUNK_BYTES)}0\r\n\r\n`);
    socket.write(`GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const statuses = (await text(socket)).match(/HTTP\/1\.1 \d+/g);
    expect(statuses).toEqual(["HTTP/1.1 413", "HTTP/1.1 405"]);
  });

  it("a body without end, by cutting the connection after 16 MiB", async () => {
    const { port } = await serveMcp();
    const socket = connect(port, "127.0.0.1");
    let sentBytes = 0;
    const pour = (): void => {
      do sentBytes += CHUNK_BYTES;
      while (!socket.destroyed && socket.write(CHUNK));
    };
    socket.on("drain", pour);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.on("close", () => resolve());
    // The client sees the cut as an error.
    socket.on("error", () => {});
    socket.resume();
    socket.write(CHUNKED_POST);
    pour();
    await closed;
    expect(sentBytes).toBeGreaterThan(16 * MIB);
    expect(sentBytes).toBeLessThan(64 * MIB);
  });
});

describe("a request that the guard admits", () => {
  it.each<[string, WireRequest]>([
    ["a content type with parameters", { headers: { "content-type": "Application/JSON; charset=utf-8" } }],
    ["an Origin on this machine", { headers: { origin: "http://localhost:6274" } }],
    ["localhost at whatever port", { headers: { host: "localhost:9" } }],
    ["the path without a slash", { path: "/mcp" }],
    ["a body in chunks", { chunked: true }],
    ["a message of exactly 1 MiB", { body: String(LIST.body).padEnd(MIB) }],
    ["a protocol version of the past", { headers: { "mcp-protocol-version": "2025-03-26" } }],
    ["no protocol version", { headers: { "mcp-protocol-version": undefined } }],
    ["a body that is encoded as it is", { headers: { "content-encoding": "Identity" } }],
  ])("%s", async (_what, change) => {
    const { port } = await serveMcp();
    const headers = { ...LIST.headers, ...change.headers };
    expect(await rpc(port, { ...LIST, ...change, headers })).toMatchObject({
      status: 200,
      id: 7,
      result: { tools: expect.any(Array) },
    });
  });

  it("hosts and origins of the configuration, and only those", async () => {
    const { port } = await serveMcp({ allowedHosts: ["mcp.example"], allowedOrigins: ["app.example"] });
    const headers = { host: "mcp.example:443", origin: "https://app.example" };
    expect(await send(port, { ...LIST, headers })).toMatchObject({ status: 200 });
    expect(await send(port, { ...LIST, headers: { ...headers, host: "localhost" } })).toMatchObject({ status: 403 });
    expect(await send(port, { ...LIST, headers: { ...headers, origin: "http://localhost" } })).toMatchObject({
      status: 403,
    });
  });

  it.each([
    [
      ["localhost", "mcp.example"],
      ["localhost", "app.example"],
    ],
    [
      ["localhost.", "mcp.example."],
      ["localhost.", "app.example."],
    ],
  ])("a name with the dot of DNS's root is the same name: %j", async (allowedHosts, allowedOrigins) => {
    const { port } = await serveMcp({ allowedHosts, allowedOrigins });
    for (const host of ["localhost.", "LOCALHOST.:8011", "mcp.example.", "mcp.example"])
      expect(await send(port, { ...LIST, headers: { host } })).toMatchObject({ status: 200 });
    for (const origin of ["https://app.example.", "https://app.example:8443"])
      expect(await send(port, { ...LIST, headers: { host: "localhost", origin } })).toMatchObject({ status: 200 });
    for (const host of ["localhost..", ".", "evil.example.", ".localhost"])
      expect(await send(port, { ...LIST, headers: { host } })).toMatchObject({ status: 403 });
  });

  it("a Host with user information in it does not make the request fail", async () => {
    const { port } = await serveMcp();
    expect(await send(port, { ...LIST, headers: { host: "user@localhost" } })).toMatchObject({ status: 200 });
  });

  it.each(WIRE_VERSIONS)("a notification, which gets no answer ($version)", async ({ requestOf }) => {
    const { port } = await serveMcp();
    const request = requestOf("notifications/initialized");
    const body = String(request.body).replace('"id":7,', "");
    expect(await send(port, { ...request, body })).toMatchObject({ status: 202, text: "" });
  });
});

describe("OPTIONS", () => {
  it.each(["/mcp", "/mcp/"])("of a client that is no page answers with the methods of %s", async (path) => {
    const { port } = await serveMcp({ tokens: TOKENS });
    const answer = await send(port, { method: "OPTIONS", path });
    expect(answer).toMatchObject({ status: 204, headers: { allow: "POST, OPTIONS" }, text: "" });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
  });
});

describe("the id of a request", () => {
  it.each<[string, WireRequest, number | null]>([
    ["of an unknown version", { ...LIST, headers: { "mcp-protocol-version": "2099-01-01" } }, 7],
    ["that is no message of JSON-RPC 2.0", { body: '{"jsonrpc":"1.0","id":7,"method":"ping"}' }, 7],
    ["whose id is none", { body: '{"jsonrpc":"2.0","id":null,"method":"ping"}' }, null],
    ["whose id is an object", { body: '{"jsonrpc":"2.0","id":{},"method":"ping"}' }, null],
    ["that is nested too deep", { body: `{"id":7,"a":${"[".repeat(1000)}${"]".repeat(1000)}}` }, 7],
    ["of 2026-07-28 without its envelope", { ...LIST, headers: { "mcp-protocol-version": "2026-07-28" } }, 7],
  ])("%s is in its error", async (_what, wireRequest, id) => {
    const { port } = await serveMcp();
    expect(await rpc(port, wireRequest)).toMatchObject({ status: 400, id, error: { code: expect.any(Number) } });
  });
});

describe("the protocol version", () => {
  it.each(["2099-01-01", "1999-01-01", "nonsense"])("unknown (%s) keeps the v1 SDK's plain 400", async (version) => {
    const { port } = await serveMcp();
    const answer = await rpc(port, { ...LIST, headers: { "mcp-protocol-version": version } });
    expect(answer).toMatchObject({ status: 400, error: { code: -32000 } });
    expect(answer.error?.message).toMatch(/^Bad Request: Unsupported protocol version/);
  });

  it("unknown, and in the message too, gets an error with the supported versions", async () => {
    const { port } = await serveMcp();
    const body = String(modernRequest("tools/list").body).replace("2026-07-28", "2099-01-01");
    const headers = { "mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list" };
    const answer = await rpc(port, { headers, body });
    expect(answer).toMatchObject({ status: 400, error: { code: -32022 } });
    expect(answer.text).toContain('"supported":["2026-07-28"]');
  });

  it("2026-07-28 without its envelope is malformed, not legacy", async () => {
    const { port } = await serveMcp();
    const answer = await rpc(port, { ...LIST, headers: { "mcp-protocol-version": "2026-07-28" } });
    expect(answer).toMatchObject({ status: 400, error: { code: -32602 } });
  });

  it.each([
    "{}",
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
  ])("does not matter for a body that is no message: %s", async (body) => {
    const { port, emitted } = await serveMcp();
    const answer = await rpc(port, { body });
    expect(answer).toMatchObject({ status: 400, error: { code: expect.any(Number) } });
    expect(emitted).toEqual([]);
  });
});

describe("a stream of 2026-07-28", () => {
  it("ends when the server closes, which it may do twice", async () => {
    const { port, close } = await serveMcp();
    const { headers = {}, body = "" } = modernRequest("subscriptions/listen", { notifications: {} });
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": String(headers["mcp-protocol-version"]),
        "mcp-method": "subscriptions/listen",
      },
      body: String(body),
    });
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    await close();
    await close();
    expect(await response.text()).toContain("notifications/subscriptions/acknowledged");
  });
});

describe("with tokens", () => {
  it.each<[string, string | undefined]>([
    ["no token", undefined],
    ["an unknown token", "Bearer eve-token"],
    ["another scheme", "Basic alice-token"],
  ])("%s gets 401", async (_what, authorization) => {
    const { port } = await serveMcp({ tokens: TOKENS });
    const answer = await rpc(port, { ...LIST, headers: { authorization } });
    expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" }, error: { code: -32000 } });
    expect(answer.error?.message).toContain("AUTH_TOKENS");
  });

  it.each(["GET", "HEAD", "DELETE", "PUT"])("%s without a token gets 401 and not 405, with one 405", async (method) => {
    const { port } = await serveMcp({ tokens: TOKENS });
    expect(await send(port, { method })).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
    const headers = { authorization: "Bearer alice-token" };
    expect(await send(port, { method, headers })).toMatchObject({ status: 405 });
  });

  it("a request without a token gets 401, whatever else is wrong with it", async () => {
    const { port } = await serveMcp({ tokens: TOKENS });
    for (const headers of [{ "content-type": "text/plain" }, { "content-encoding": "gzip" }])
      expect(await send(port, { ...LIST, headers })).toMatchObject({ status: 401 });
  });

  it.each(VERSIONS)(
    "two principals who use the same task_id never notice each other ($version)",
    async ({ connect: connectClient }) => {
      const { url, runTask } = await serveMcp({ tokens: TOKENS });
      const alice = await connectClient(url, { token: "alice-token" });
      const bob = await connectClient(url, { token: "bob-token" });
      const registration = { task_id: "t", client_id: "c", callback_url: "http://localhost/c" };
      const ofAlice = await alice.callTool("register_callback", registration);
      const ofBob = await bob.callTool("register_callback", registration);
      expect(ofAlice.structured).toMatchObject({ registered_callbacks: 1 });
      expect(ofBob.structured).toMatchObject({ registered_callbacks: 1 });

      await alice.callTool("start_task_with_callbacks", { task_id: "t", client_id: "alice's" });
      await runTask({ status: "completed", result: "for alice" });
      expect(await bob.callTool("get_task_result", { task_id: "t" })).toMatchObject({ isError: true });
      expect(await bob.callTool("start_task_with_callbacks", { task_id: "t", client_id: "bob's" })).toMatchObject({
        isError: false,
      });
      const { structured } = await bob.callTool("get_registered_callbacks", { task_id: "t" });
      expect(structured).toMatchObject({ callback_count: 1, callbacks: [{ deliveries: [] }] });
      expect((await alice.callTool("get_task_result", { task_id: "t" })).structured).toMatchObject({
        result: "for alice",
      });
    },
  );
});
