import { describe, expect, it } from "vitest";
import { serveMcp } from "./serve-mcp.ts";
import { send, WIRE_VERSIONS } from "./wire.ts";
import type { WireRequest, WireResponse } from "./wire.ts";

const ORIGIN = "https://app.example";
const SETTINGS = { allowedOrigins: ["localhost", "app.example"], tokens: [{ name: "alice", token: "alice-token" }] };
const PREFLIGHT: WireRequest = {
  method: "OPTIONS",
  headers: {
    origin: ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,mcp-method,mcp-name,mcp-param-user-id,x-own",
    "content-type": undefined,
  },
};

const corsOf = ({ headers }: WireResponse) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("access-control-")));
const listOf = (header: unknown): string[] => String(header).toLowerCase().split(/, */);

describe("a page of an accepted origin", () => {
  it.each(["/mcp", "/mcp/"])("is granted the headers that MCP clients send to %s, without a token", async (path) => {
    const { port } = await serveMcp(SETTINGS);
    const answer = await send(port, { ...PREFLIGHT, path });
    expect(answer).toMatchObject({ status: 204, text: "", headers: { "access-control-allow-origin": ORIGIN } });
    expect(listOf(answer.headers["access-control-allow-methods"])).toEqual(["get", "post", "delete"]);
    expect(listOf(answer.headers["access-control-allow-headers"])).toEqual(
      expect.arrayContaining([
        "authorization",
        "content-type",
        "accept",
        "mcp-protocol-version",
        "mcp-session-id",
        "mcp-method",
        "mcp-name",
        "last-event-id",
        "mcp-param-user-id",
        "x-own",
      ]),
    );
    expect(listOf(answer.headers["vary"])).toContain("origin");
    expect(Number(answer.headers["access-control-max-age"])).toBeGreaterThan(0);
    // No cookies.
    expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
  });

  it("is granted no header whose name is invalid", async () => {
    const { port } = await serveMcp(SETTINGS);
    const headers = { ...PREFLIGHT.headers, "access-control-request-headers": "x-a, b c, d:e, *, (f), é" };
    const granted = listOf((await send(port, { ...PREFLIGHT, headers })).headers["access-control-allow-headers"]);
    expect(granted).toContain("x-a");
    for (const bad of ["b c", "d:e", "(f)", "é"]) expect(granted).not.toContain(bad);
  });

  it.each(WIRE_VERSIONS)("may read answers, a 401 and other errors ($version)", async ({ requestOf }) => {
    const { port } = await serveMcp(SETTINGS);
    const { headers, body } = requestOf("tools/list");
    const authorization = "Bearer alice-token";
    const asked: [number, WireRequest][] = [
      [200, { headers: { ...headers, authorization }, body: String(body) }],
      [401, { headers: { ...headers }, body: String(body) }],
      [400, { headers: { ...headers, authorization }, body: "{" }],
      [405, { headers: { authorization }, method: "GET" }],
      [405, { headers: { authorization }, method: "DELETE" }],
      [415, { headers: { ...headers, authorization, "content-type": "text/plain" }, body: String(body) }],
      [204, { method: "OPTIONS" }],
    ];
    for (const [status, wire] of asked) {
      const answer = await send(port, { ...wire, headers: { ...wire.headers, origin: ORIGIN } });
      expect(answer).toMatchObject({ status, headers: { "access-control-allow-origin": ORIGIN, vary: "Origin" } });
      expect(listOf(answer.headers["access-control-expose-headers"])).toEqual(
        expect.arrayContaining(["www-authenticate", "mcp-session-id", "mcp-protocol-version"]),
      );
    }
  });

  it("may read a stream", async () => {
    const { port } = await serveMcp({ allowedOrigins: ["app.example"] });
    for (const { requestOf } of WIRE_VERSIONS) {
      const wire = requestOf("tools/list");
      const headers = { ...wire.headers, accept: "text/event-stream", origin: ORIGIN };
      expect((await send(port, { ...wire, headers })).headers).toMatchObject({
        "content-type": "text/event-stream",
        "access-control-allow-origin": ORIGIN,
      });
    }
  });

  it("is any port and scheme of the host, this server's own included", async () => {
    const { port } = await serveMcp(SETTINGS);
    for (const origin of ["http://localhost:6274", "http://app.example:8080", "https://APP.example"]) {
      const answer = await send(port, { ...PREFLIGHT, headers: { ...PREFLIGHT.headers, origin } });
      expect([origin, answer.status, answer.headers["access-control-allow-origin"]]).toEqual([origin, 204, origin]);
    }
  });
});

describe("a page of any other origin", () => {
  it.each(["https://evil.example", "https://app.example.evil.example", "null", "app.example", "https://"])(
    "%s gets 403, and no CORS header",
    async (origin) => {
      const { port } = await serveMcp(SETTINGS);
      for (const wire of [PREFLIGHT, { method: "OPTIONS" }, { method: "POST" }, { method: "GET" }]) {
        const headers = "headers" in wire ? wire.headers : {};
        const answer = await send(port, { ...wire, headers: { ...headers, origin } });
        expect([answer.status, corsOf(answer)]).toEqual([403, {}]);
      }
    },
  );

  it("an accepted origin does not make another Host accepted", async () => {
    const { port } = await serveMcp(SETTINGS);
    const headers = { ...PREFLIGHT.headers, host: "evil.example" };
    const answer = await send(port, { ...PREFLIGHT, headers });
    expect([answer.status, corsOf(answer)]).toEqual([403, {}]);
  });
});

it("a client that is no page gets no CORS header", async () => {
  const { port } = await serveMcp();
  for (const { requestOf } of WIRE_VERSIONS) {
    const answer = await send(port, requestOf("tools/list"));
    expect([answer.status, corsOf(answer)]).toEqual([200, {}]);
  }
});
