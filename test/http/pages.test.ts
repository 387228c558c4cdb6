/** What pages in a browser and clients that try OAuth get, outside /mcp. */
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { registerClient } from "@modelcontextprotocol/sdk/client/auth.js";
import { describe, expect, test } from "vitest";
import { serveHttp } from "./serve-http.ts";

const PAGE = "https://app.example";
const SETTINGS = { allowedOrigins: ["app.example"], workerTokens: [{ name: "w", token: "worker-token" }] };
const ROUTES: readonly [method: string, path: string][] = [
  ["GET", "/health"],
  ["GET", "/openapi.json"],
  ["GET", "/.well-known/jwks.json"],
  ["GET", "/.well-known/oauth-protected-resource"],
  ["GET", "/webhook/c"],
  ["POST", "/webhook/c"],
  ["POST", "/complete/nothing"],
  ["POST", "/tasks/claim"],
  ["POST", "/register"],
];

async function ask(url: string, method: string, path: string, headers: Record<string, string> = {}) {
  // Not fetch, which sets some headers itself.
  const outgoing = request(url + path, { method, headers, agent: false }).end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

const grantedIn = (headers: IncomingMessage["headers"]) =>
  Object.keys(headers).filter((name) => name.startsWith("access-control-"));

describe("CORS", () => {
  test.each(ROUTES)("a page of an accepted origin may use %s %s", async (method, path) => {
    const { url } = await serveHttp(SETTINGS);
    const preflight = await ask(url, "OPTIONS", path, {
      origin: PAGE,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization, content-type, lease-token",
    });
    expect(preflight).toMatchObject({ status: 204, headers: { "access-control-allow-origin": PAGE } });
    expect(preflight.headers["access-control-allow-methods"]).toContain(method);
    expect(preflight.headers["access-control-allow-headers"]?.toLowerCase()).toContain("lease-token");
    const plain = await ask(url, method, path);
    const asked = await ask(url, method, path, { origin: PAGE });
    expect(asked).toMatchObject({ status: plain.status, headers: { "access-control-allow-origin": PAGE } });
    expect(asked.headers["access-control-expose-headers"]).toContain("WWW-Authenticate");
  });

  test.each(ROUTES)(
    "a page of any other origin gets the answer of %s %s without a CORS header",
    async (method, path) => {
      const { url } = await serveHttp(SETTINGS);
      const plain = await ask(url, method, path);
      for (const origin of ["https://evil.example", "null", "https://app.example.evil.example"]) {
        const preflight = await ask(url, "OPTIONS", path, { origin, "access-control-request-method": method });
        const asked = await ask(url, method, path, { origin });
        expect([grantedIn(preflight.headers), grantedIn(asked.headers)]).toEqual([[], []]);
        expect([asked.status, asked.body.length]).toEqual([plain.status, plain.body.length]);
      }
    },
  );

  test.each(ROUTES)("the Vary header says that %s %s depends on the origin", async (method, path) => {
    const { url } = await serveHttp(SETTINGS);
    for (const headers of [{}, { origin: PAGE }, { origin: "https://evil.example" }])
      expect((await ask(url, method, path, headers)).headers["vary"]).toBe("Origin");
  });
});

describe("where clients try OAuth", () => {
  const tokens = [{ name: "ann", token: "s3cret" }];
  const paths = ["/register", "/authorize", "/token", "/revoke", "/introspect"];

  test.each(paths)("%s says in an OAuth error which tokens are accepted", async (path) => {
    const { url } = await serveHttp({ tokens });
    for (const method of ["GET", "POST"]) {
      const { status, headers, body } = await ask(url, method, `${path}?client_id=x`);
      expect(status).toBe(400);
      expect(headers).toMatchObject({ "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
      expect(JSON.parse(body)).toEqual({
        error: "invalid_request",
        error_description: expect.stringMatching(/AUTH_TOKENS.*Authorization: Bearer/),
      });
      expect(body).not.toContain("s3cret");
    }
  });

  test.each(paths)("%s says that none is needed where there are none", async (path) => {
    const { url } = await serveHttp();
    const { body } = await ask(url, "POST", path);
    expect(JSON.parse(body)).toMatchObject({ error_description: expect.stringContaining("asks for no token") });
  });

  test.each([
    "oauth-protected-resource",
    "oauth-protected-resource/mcp",
    "oauth-authorization-server",
    "oauth-authorization-server/mcp",
    "openid-configuration",
  ])("/.well-known/%s is 404, in JSON: there is no OAuth", async (name) => {
    const { url } = await serveHttp({ tokens });
    const { status, headers, body } = await ask(url, "GET", `/.well-known/${name}`);
    expect([status, headers["content-type"]]).toEqual([404, "application/json; charset=utf-8"]);
    expect(JSON.parse(body)).toMatchObject({ error: { code: "not_found" } });
  });

  test("the error of the SDK's client says what to do", async () => {
    const { url } = await serveHttp({ tokens });
    const clientMetadata = { redirect_uris: ["http://localhost/callback"] };
    await expect(registerClient(url, { clientMetadata })).rejects.toThrow(/AUTH_TOKENS.*Authorization: Bearer/);
  });
});

describe("a body that is encoded", () => {
  test.each(["/webhook/c", "/tasks/claim", "/tasks/t/complete"])(
    "is refused by POST %s, saying what to do, and the connection serves on",
    async (path) => {
      const { url, store } = await serveHttp(SETTINGS);
      const send = (encoding: string) =>
        fetch(url + path, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "content-encoding": encoding,
            authorization: "Bearer worker-token",
          },
          body: Buffer.alloc(200_000, "x"),
        });
      for (const encoding of ["gzip", "br", "deflate, gzip"]) {
        const response = await send(encoding);
        expect(response.status).toBe(415);
        expect(await response.text()).toContain("without Content-Encoding");
      }
      expect((await send("identity")).status).not.toBe(415);
      expect(await store.listReceived("c")).toEqual([]);
    },
  );
});
