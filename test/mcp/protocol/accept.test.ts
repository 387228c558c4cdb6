import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { until } from "../../support/until.ts";
import { serveMcp } from "../serve-mcp.ts";
import { legacyRequest, rpc, send, WIRE_VERSIONS } from "../wire.ts";
import type { WireRequest } from "../wire.ts";

const JSON_OR_BOTH = [
  undefined,
  "",
  "*/*",
  "application/*",
  "application/json",
  "APPLICATION/JSON, TEXT/EVENT-STREAM",
  "text/event-stream;q=0.5, application/json;q=0.9",
  "text/html, application/xhtml+xml, */*;q=0.8",
  "text/html",
  "text/event-stream;q=0, application/json",
  "application/json;charset=utf-8,text/event-stream",
  ",;,",
];
const ONLY_STREAM = ["text/event-stream", "TEXT/EVENT-STREAM", "text/*", "text/event-stream, application/json;q=0.0"];

const accepting = (accept: string | undefined, { headers, ...rest }: WireRequest): WireRequest => ({
  ...rest,
  headers: { ...headers, accept },
});
const eventIn = (text: string): unknown => JSON.parse(/^event: message\ndata: (.+)\n\n$/.exec(text)?.[1] ?? "null");

describe.each(WIRE_VERSIONS)("for any Accept header ($version)", ({ requestOf }) => {
  const requests = [
    ["tools/list", {}],
    ["tools/call", { name: "get_registered_callbacks", arguments: { task_id: "t" } }],
    ["tools/call", { name: "get_registered_callbacks", arguments: { task_id: "t" }, _meta: { progressToken: 1 } }],
  ] as const;

  it.each(JSON_OR_BOTH)("%s: the answer is JSON", async (accept) => {
    const { port } = await serveMcp();
    for (const [method, params] of requests.slice(0, 2)) {
      const answer = await rpc(port, accepting(accept, requestOf(method, params)));
      expect(answer).toMatchObject({
        status: 200,
        headers: { "content-type": "application/json" },
        id: 7,
        result: expect.anything(),
      });
    }
  });

  it.each(ONLY_STREAM)("%s: the answer is a stream of one event", async (accept) => {
    const { port } = await serveMcp();
    for (const [method, params] of requests) {
      const answer = await send(port, accepting(accept, requestOf(method, params)));
      expect(answer).toMatchObject({ status: 200, headers: { "content-type": "text/event-stream" } });
      expect(eventIn(answer.text)).toMatchObject({ id: 7, result: expect.anything() });
    }
  });

  it("a client that accepts only JSON gets JSON instead of progress", async () => {
    const served = await serveMcp();
    const params = { name: "run_task", arguments: { task_id: "t1" }, _meta: { progressToken: "p" } };
    const answer = rpc(served.port, accepting("application/json", requestOf("tools/call", params)));
    // The wait for the end and the wait for the first progress.
    await until("it waits", () => served.clock.sleeping === 2);
    served.clock.advance(1000);
    await served.runTask({ status: "completed", result: "done" });
    expect(await answer).toMatchObject({
      headers: { "content-type": "application/json" },
      result: { structuredContent: { status: "completed" } },
    });
  });

  it("a notification gets 202", async () => {
    const { port } = await serveMcp();
    const wire = requestOf("notifications/initialized");
    const body = String(wire.body).replace('"id":7,', "");
    for (const accept of [undefined, "*/*", "application/json", "text/event-stream"])
      expect(await send(port, accepting(accept, { ...wire, body }))).toMatchObject({ status: 202, text: "" });
  });

  it("an HTTP error is JSON", async () => {
    const { port } = await serveMcp();
    const wire = requestOf("tools/list");
    for (const accept of ["text/event-stream", "text/html"]) {
      const headers = { ...wire.headers, "mcp-protocol-version": "2099-01-01" };
      const answer = await rpc(port, accepting(accept, { ...wire, headers }));
      expect(answer).toMatchObject({ status: 400, headers: { "content-type": "application/json" }, id: 7 });
    }
  });
});

it("initialize is answered for any Accept header", async () => {
  const { port } = await serveMcp();
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "0" } };
  for (const accept of [undefined, "*/*", "application/json"])
    expect(await rpc(port, accepting(accept, legacyRequest("initialize", params)))).toMatchObject({
      status: 200,
      result: { protocolVersion: "2025-11-25" },
    });
});

describe("tasks/result of 2025-11-25, for a client that accepts only JSON", () => {
  const created = z.object({ task: z.object({ taskId: z.string() }) });

  it("waits for the end and is JSON", async () => {
    const served = await serveMcp();
    const call = legacyRequest("tools/call", { name: "run_task", arguments: {}, task: {} });
    const { taskId } = created.parse((await rpc(served.port, call)).result).task;
    const answer = rpc(served.port, accepting("application/json", legacyRequest("tasks/result", { taskId })));
    await served.runTask({ status: "completed", result: "done" });
    expect(await answer).toMatchObject({ id: 7, result: { structuredContent: { result: "done" } } });
  });

  it("leaves nothing behind when the client disconnects", async () => {
    const served = await serveMcp();
    const body = String(legacyRequest("tools/call", { name: "run_task", arguments: {}, _meta: {} }).body);
    const socket = connect(served.port, "127.0.0.1");
    socket.write(
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n" +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    await until("it waits", () => served.clock.sleeping === 1);
    socket.destroy();
    await until("no request waits", () => served.clock.sleeping === 0);
    expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
  });
});

describe.each(WIRE_VERSIONS)("an answer that is a stream ($version)", ({ requestOf }) => {
  const subscribing = (): WireRequest => requestOf("events/stream", { name: "task_completed", arguments: {} });

  async function open(port: number, headers: Record<string, string>): Promise<IncomingMessage> {
    const wire = subscribing();
    const given = Object.entries(wire.headers ?? {}).filter(([, value]) => value !== undefined);
    const accept = "application/json, text/event-stream";
    const outgoing = request({
      port,
      path: "/mcp",
      method: "POST",
      agent: false,
      headers: { "content-type": "application/json", accept, ...Object.fromEntries(given), ...headers } as never,
    });
    outgoing.on("error", () => {});
    onTestFinished(() => void outgoing.destroy());
    outgoing.end(wire.body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.resume().on("error", () => {});
    return response;
  }

  it("has Connection: keep-alive only for a client that keeps the connection", async () => {
    const { port } = await serveMcp();
    const kept = await open(port, { connection: "keep-alive" });
    expect(kept.headers).toMatchObject({ connection: "keep-alive", "content-type": "text/event-stream" });
    expect((await open(port, { connection: "close" })).headers).toMatchObject({ connection: "close" });
  });

  it("closes the connection at its end for a client that asks for that", async () => {
    const { port, endStreams } = await serveMcp();
    const response = await open(port, { connection: "close" });
    const closed = once(response, "close");
    endStreams();
    await closed;
    expect(response.complete).toBe(true);
  });
});

it("sends its head at once for a result that the client waits for (2025-11-25)", async () => {
  const served = await serveMcp();
  const call = legacyRequest("tools/call", { name: "run_task", arguments: { task_id: "t1" }, task: {} });
  await rpc(served.port, call);
  const { id: taskId } = (await served.store.findTask("local", "t1"))!;
  const { headers, body } = legacyRequest("tasks/result", { taskId });
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  // `fetch` resolves with the head. The clock of the server stands still, and the task has not started.
  const response = await fetch(served.url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", accept: "text/event-stream, application/json" } as never,
    body: String(body),
    signal: gone.signal,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  await served.runTask({ status: "completed", result: "done" });
  expect(await response.text()).toContain('"result":"done"');
});
