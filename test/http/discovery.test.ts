import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/sdk/types.js";
import { expect, test } from "vitest";
import { PROTOCOL_VERSIONS } from "../../src/http/routes/discovery.ts";
import { startServer } from "../support/server.ts";
import { ask } from "../support/mcp-events.ts";
import { serveHttp } from "./serve-http.ts";

const CARD = "/mcp/server-card";
const CATALOG = "/.well-known/ai-catalog.json";

test("the Server Card describes the server as it describes itself to a connected client", async () => {
  const { url, port } = await startServer({
    env: { AUTH_TOKENS: "alice:secret-of-alice", SERVER_NAME: "Tasks of Acme" },
  });
  const response = await fetch(url + CARD, { headers: { accept: "application/mcp-server-card+json" } });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/mcp-server-card+json"]);
  const card = (await response.json()) as { name: string; version: string; remotes: { url: string }[] };
  expect(card).toEqual({
    $schema: "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json",
    name: "localhost/mcp-callbacks",
    title: "Tasks of Acme",
    description: expect.stringMatching(/^.{1,100}$/),
    version: expect.any(String),
    remotes: [
      {
        type: "streamable-http",
        url: `http://localhost:${port}/mcp`,
        supportedProtocolVersions: [...PROTOCOL_VERSIONS],
        headers: [{ name: "Authorization", description: expect.any(String), isRequired: true, isSecret: true }],
      },
    ],
  });
  const { result } = await ask({ port }, "server/discover", {}, { token: "secret-of-alice" });
  const { supportedVersions, _meta } = result as {
    supportedVersions: readonly string[];
    _meta: Record<string, { name: string; version: string }>;
  };
  const { name, version } = _meta["io.modelcontextprotocol/serverInfo"]!;
  expect([card.name.split("/")[1], card.version]).toEqual([name, version]);
  expect(PROTOCOL_VERSIONS).toEqual(expect.arrayContaining([...supportedVersions]));
});

test("the protocol versions of the card are those of the SDKs", () => {
  expect(new Set(PROTOCOL_VERSIONS)).toEqual(new Set(["2026-07-28", ...SUPPORTED_PROTOCOL_VERSIONS]));
});

test("the catalog names the card, and without tokens the card names no header", async () => {
  const { url } = await startServer({ env: {} });
  const response = await fetch(url + CATALOG);
  expect(response.headers.get("content-type")).toBe("application/ai-catalog+json");
  const { specVersion, entries } = (await response.json()) as { specVersion: string; entries: { url: string }[] };
  expect([specVersion, entries]).toEqual([
    "1.0",
    [
      {
        identifier: "urn:air:localhost:mcp:mcp-callbacks",
        displayName: expect.any(String),
        type: "application/mcp-server-card+json",
        url: expect.stringMatching(/\/mcp\/server-card$/),
      },
    ],
  ]);
  const path = new URL(entries[0]!.url).pathname;
  const card = (await (await fetch(url + path)).json()) as { remotes: object[] };
  expect(card.remotes[0]).not.toHaveProperty("headers");
});

test("the name is the host's in reverse, as the specification's pattern has it", async () => {
  const { url } = await serveHttp();
  const card = (await (await fetch(url + CARD)).json()) as { name: string };
  expect(card.name).toBe("example.callbacks/Test");
  expect(card.name).toMatch(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/);
});

test.each([CARD, CATALOG])("any page may read %s, and a cache may keep it by its ETag", async (path) => {
  const { url } = await serveHttp({ tokens: [{ name: "alice", token: "secret" }] });
  const first = await fetch(url + path);
  const cors = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": "Content-Type, If-None-Match",
    "access-control-expose-headers": "ETag",
  };
  expect(Object.fromEntries(first.headers)).toMatchObject({ ...cors, "cache-control": "public, max-age=3600" });
  const etag = first.headers.get("etag");
  const again = await fetch(url + path, { headers: { "if-none-match": etag!, "cache-control": "max-age=0" } });
  expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag]);
  expect(Object.fromEntries(again.headers)).toMatchObject(cors);
  expect((await fetch(url + path, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
  const preflight = await fetch(url + path, { method: "OPTIONS" });
  expect([preflight.status, Object.fromEntries(preflight.headers)]).toMatchObject([204, cors]);
});
