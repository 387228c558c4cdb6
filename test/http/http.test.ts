import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, test } from "vitest";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { aRegistration, aStart } from "../support/builders.ts";
import { until } from "../support/until.ts";
import { serveHttp } from "./serve-http.ts";

let url: string;
let store: Store;
let emitted: readonly TelemetryEvent[];

async function serve(tokens: { name: string; token: string }[] = []): Promise<string> {
  const served = await serveHttp({ tokens });
  ({ store, emitted } = served);
  return served.url;
}

beforeEach(async () => {
  url = await serve();
});

const BIG = 12 * 1024 * 1024;
const WEBHOOK = { type: "task_completed", timestamp: "now", data: { task_id: "t1" } };
const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url + path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
async function answerOf(response: Response) {
  return { status: response.status, body: await response.json() };
}

describe("the test receiver", () => {
  test("accepts a webhook and keeps it with its headers", async () => {
    const response = await post("/webhook/inspector_b", JSON.stringify(WEBHOOK), { "webhook-id": "evt_1" });
    expect(await answerOf(response)).toEqual({
      status: 200,
      body: {
        status: "received",
        client_id: "inspector_b",
        task_id: "t1",
        message: "✅ Webhook received by inspector_b",
        timestamp: "2026-11-23T05:00:00.000Z",
      },
    });
    expect(await answerOf(await fetch(`${url}/webhook/inspector_b`))).toMatchObject({
      status: 200,
      body: {
        client_id: "inspector_b",
        count: 1,
        received: [{ received_at: "2026-11-23T05:00:00.000Z", headers: { "webhook-id": "evt_1" }, body: WEBHOOK }],
      },
    });
    expect(emitted).toContainEqual({
      kind: "inbox.received",
      clientId: "inspector_b",
      type: "task_completed",
      taskId: "t1",
    });
  });

  test("accepts a client_id with a slash or a percent sign", async () => {
    await post(`/webhook/${encodeURIComponent("a/b %41")}`, JSON.stringify(WEBHOOK));
    expect(await store.listReceived("a/b %41")).toHaveLength(1);
  });

  test.each([
    ["not JSON", "hello"],
    ["empty", ""],
    ["no object", '"type"'],
    ["an array", "[]"],
    ["without a type", '{"data":{}}'],
    ["with a type that is no text", '{"type":1}'],
    ["nested too deep", `{"type":"x","data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`],
  ])("refuses a body that is %s and keeps nothing", async (_, body) => {
    expect(await answerOf(await post("/webhook/c", body))).toEqual({
      status: 400,
      body: { status: "error", message: expect.stringContaining("JSON object") },
    });
    expect(await store.listReceived("c")).toEqual([]);
  });

  test("refuses a client_id with a control character or over 200 characters", async () => {
    expect((await post("/webhook/a%00b", JSON.stringify(WEBHOOK))).status).toBe(400);
    expect((await post(`/webhook/${"a".repeat(201)}`, JSON.stringify(WEBHOOK))).status).toBe(400);
  });

  test.each([
    ["emitted by its length", { "content-length": String(BIG) }],
    ["sent in chunks", { "transfer-encoding": "chunked" }],
  ])("a body over 1 MiB, %s, gets 413 and is not kept", async (_, headers) => {
    const { port } = new URL(url);
    const outgoing = request({ port, path: "/webhook/c", method: "POST", headers });
    outgoing.on("error", () => {});
    const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
    // More than the sockets hold: it is sent only if the server reads on.
    const sent = once(outgoing, "finish");
    outgoing.end(Buffer.alloc(BIG, "x"));
    const [response] = await answered;
    expect([response.statusCode, JSON.parse(await text(response))]).toMatchObject([413, { status: "error" }]);
    await sent;
    expect(await store.listReceived("c")).toEqual([]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test("with tokens, needs one to show what it received, and none to receive", async () => {
    url = await serve([{ name: "ann", token: "s3cret" }]);
    expect((await post("/webhook/c", JSON.stringify(WEBHOOK))).status).toBe(200);
    const refused = await fetch(`${url}/webhook/c`);
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect((await fetch(`${url}/webhook/c`, { headers: { authorization: "Bearer s3cret" } })).status).toBe(200);
    expect((await fetch(`${url}/webhook/c`, { headers: { authorization: "Bearer s3crets" } })).status).toBe(401);
  });
});

test("does not show what it received to a page of a rebound name", async () => {
  const { port } = new URL(url);
  for (const [host, status] of [
    ["evil.example", 403],
    ["[::1]:80", 200],
  ] as const) {
    const outgoing = request({ port, path: "/webhook/c", headers: { host } }).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.resume();
    expect([host, response.statusCode]).toEqual([host, status]);
  }
});

describe("health", () => {
  test("counts tasks and callbacks", async () => {
    await store.registerCallback(aRegistration());
    await store.startTask(aStart());
    expect(await answerOf(await fetch(`${url}/health`))).toEqual({
      status: 200,
      body: {
        status: "healthy",
        server: "Test",
        transport: "HTTP with Webhook Callbacks",
        completed_tasks: 0,
        pending_callbacks: 1,
        active_tasks: 1,
        slow_origins: 0,
        disabled_callbacks: 0,
        timestamp: "2026-11-23T05:00:00.000Z",
      },
    });
  });

  test.each([200, 503])("answers with the same %i for each spelling of its path", async (status) => {
    if (status === 503) await store.close();
    const [plain, ...others] = await Promise.all(
      ["/health", "/health?", "/health/", "/HEALTH"].map(async (path) => {
        const response = await fetch(url + path);
        const { date: _, ...headers } = Object.fromEntries(response.headers);
        return { status: response.status, headers, text: await response.text() };
      }),
    );
    expect(plain).toMatchObject({
      status,
      headers: { "cache-control": "no-store", "content-type": "application/json; charset=utf-8" },
    });
    for (const other of others) expect(other).toEqual(plain);
    const head = await fetch(`${url}/health`, { method: "HEAD" });
    for (const name of ["cache-control", "content-type", "content-length"])
      expect([name, head.headers.get(name)]).toEqual([name, plain!.headers[name]]);
  });

  test("is 503 without details when the store does not answer", async () => {
    await store.close();
    const { status, body } = await answerOf(await fetch(`${url}/health`));
    expect([status, body]).toMatchObject([503, { status: "unhealthy" }]);
    expect(JSON.stringify(body)).not.toMatch(/database|sqlite/i);
    expect(emitted).toContainEqual(expect.objectContaining({ kind: "internal.failed", where: "health" }));
  });
});

describe("other paths", () => {
  test("both spellings of /mcp reach the MCP handler without a redirect", async () => {
    for (const path of ["/mcp", "/mcp/", "/mcp?trace=1"]) {
      const response = await fetch(url + path, { method: "POST", redirect: "manual", body: "{}" });
      expect([response.status, await response.text()]).toEqual([200, "mcp was here"]);
    }
  });

  test("an unknown path is 404, a wrong method 405 with what is allowed", async () => {
    expect(await answerOf(await fetch(`${url}/nothing`))).toMatchObject({
      status: 404,
      body: { error: { code: "not_found" } },
    });
    expect(await answerOf(await fetch(`${url}/health`, { method: "DELETE" }))).toEqual({
      status: 405,
      body: { error: { code: "method_not_allowed", message: expect.stringContaining("GET") } },
    });
    const response = await fetch(`${url}/webhook/c`, { method: "DELETE" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, expect.stringContaining("POST")]);
    expect(await response.json()).toMatchObject({ status: "error", message: expect.stringContaining("POST") });
  });

  test("OPTIONS answers with the methods of the path", async () => {
    const allowedAt = async (path: string) => {
      const response = await fetch(url + path, { method: "OPTIONS" });
      return [response.status, response.headers.get("allow")?.split(", ").toSorted(), await response.text()];
    };
    expect(await allowedAt("/health")).toEqual([200, ["GET", "HEAD"], ""]);
    expect(await allowedAt("/webhook/c")).toEqual([200, ["GET", "HEAD", "POST"], ""]);
    expect(await allowedAt("/complete/secret?raw=1")).toEqual([200, ["POST"], ""]);
    expect(await allowedAt("/openapi.json")).toEqual([200, ["GET", "HEAD"], ""]);
    expect(await allowedAt("/mcp/server-card")).toEqual([204, ["GET", "HEAD", "OPTIONS"], ""]);
    expect((await fetch(`${url}/nothing`, { method: "OPTIONS" })).status).toBe(404);
  });

  test("a request target that is no URL is 400", async () => {
    const { port } = new URL(url);
    const outgoing = request({ port, path: "http://[::1" }).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    expect([response.statusCode, JSON.parse(await text(response))]).toMatchObject([
      400,
      { error: { code: "invalid" } },
    ]);
  });

  test("an unexpected error is logged in full and answered without details", async () => {
    await store.close();
    const { status, body } = await answerOf(await post("/webhook/c", JSON.stringify(WEBHOOK)));
    expect([status, body]).toEqual([
      500,
      { status: "error", message: "Internal error: the server's log has the cause." },
    ]);
    expect(emitted).toContainEqual(expect.objectContaining({ kind: "internal.failed", where: "POST /webhook/c" }));
  });

  test("each request is logged once its answer is sent, with its real status", async () => {
    await (await fetch(`${url}/nothing?token=x`)).text();
    const seen = await until("the request event", () => emitted.find(({ kind }) => kind === "http.request"));
    expect(seen).toMatchObject({ method: "GET", path: "/nothing", status: 404, remoteAddress: "127.0.0.1" });
  });

  test.each([
    ["http://other.example:80/complete/secret?x", "/complete/…", 405],
    ["/Complete/secret", "/complete/…", 405],
    ["/COMPLETE/secret/?raw=1", "/complete/…", 405],
    ["//complete/secret", "/complete/…", 404],
    ["/complete//secret", "/complete/…", 404],
    ["/complete/./secret", "/complete/…", 404],
    ["/a/../complete/secret", "/complete/…", 404],
    ["/webhook/../complete/secret", "/complete/…", 404],
    ["/complete;secret", "/complete/…", 404],
    ["/complete\\secret", "/complete/…", 404],
    ["/%63omplete/secret", "/complete/…", 404],
    ["/complete%2Fsecret", "/complete/…", 404],
    ["/complete%252Fsecret", "/complete/…", 404],
    [`/%${"25".repeat(9)}63omplete/secret`, "/…", 404],
    ["/complet/q1Bt0-PZ4gHsPzKzZ_0aHnWmvG7pXy2d", "/complet/…", 404],
    ["/q1Bt0-PZ4gHsPzKzZ_0aHnWmvG7pXy2d", "/…", 404],
    [`/complet/${"%51%2d".repeat(16)}`, "/complet/…", 404],
    ["/complet/q1Bt0-PZ4gHsPzKzZ_%30aHnWmvG7pXy2d", "/complet/…", 404],
    ["/complete", "/complete", 404],
    ["http://other.example", "/", 200],
    ["/a//b?/c#d", "/a//b", 404],
  ])("%s is logged as %s", async (target, path, status) => {
    const outgoing = request({ port: new URL(url).port, path: target }).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.resume();
    const seen = await until("the request event", () => emitted.find(({ kind }) => kind === "http.request"));
    expect(seen).toMatchObject({ method: "GET", path, status });
  });

  test("the paths of other routes are logged as they are", async () => {
    const long = "client-with-a-name-of-more-than-32-letters";
    const paths = ["/webhook/complete-me", `/webhook/${long}`, "/tasks/task_01m856cp0b7mg7bgbzdhq733dy/complete"];
    for (const path of paths) await (await fetch(url + path)).text();
    const shown = () => emitted.flatMap((one) => (one.kind === "http.request" ? [one.path] : []));
    await until("the request events", () => shown().length === paths.length);
    expect(shown()).toEqual(paths);
  });

  test.each(["/mcp", "/mcp/?token=x"])("so is a request to %s, by its path", async (target) => {
    await (await fetch(url + target, { method: "POST", body: "{}" })).text();
    const seen = await until("the request event", () => emitted.find(({ kind }) => kind === "http.request"));
    const path = target.replace(/[?].*/, "");
    expect(seen).toMatchObject({ method: "POST", path, status: 200, remoteAddress: "127.0.0.1" });
  });
});
