import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { T0 } from "../support/builders.ts";
import { until } from "../support/until.ts";
import { NOW } from "./asking.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { openStream } from "./stream.ts";
import { modernRequest, rpc } from "./wire.ts";
import type { WireRequest } from "./wire.ts";

const EXTENSION = "io.modelcontextprotocol/tasks";
const DECLARED = { extensions: { [EXTENSION]: {} } };
const COMPLETED = { status: "completed", result: { pages: 3 } } as const;
const TOKENS = [
  { name: "alice", token: "a-secret" },
  { name: "bob", token: "b-secret" },
];

const declaring = (method: string, params: Parameters<typeof modernRequest>[1]): WireRequest =>
  modernRequest(method, params, DECLARED);
const as = (token: string, request: WireRequest): WireRequest => ({
  ...request,
  headers: { ...request.headers, authorization: `Bearer ${token}` },
});

const created = z.object({ taskId: z.string() });

async function createTask({ port }: ServedMcp, given: object = {}, by = (request: WireRequest) => request) {
  const { result } = await rpc(port, by(declaring("tools/call", { name: "run_task", arguments: given })));
  return created.parse(result).taskId;
}

describe("a client of 2026-07-28 that declares the tasks extension", () => {
  it("gets a task as the answer, which is stored and can be read at once", async () => {
    const served = await serveMcp();
    const { result } = await rpc(
      served.port,
      declaring("tools/call", { name: "run_task", arguments: { task_id: "t1" } }),
    );
    const { taskId } = created.parse(result);
    const task = {
      taskId,
      createdAt: NOW,
      lastUpdatedAt: NOW,
      statusMessage: "The task waits to be run.",
      ttlMs: 86_400_000,
      pollIntervalMs: 1000,
      status: "working",
    };
    expect(result).toEqual({ resultType: "task", ...task, _meta: expect.anything() });
    expect(await served.store.findTask("local", "t1")).toMatchObject({ id: taskId, status: "pending" });
    const got = await rpc(served.port, declaring("tasks/get", { taskId }));
    expect(got.result).toEqual({ resultType: "complete", ...task, _meta: expect.anything() });
  });

  it("finds the tool's result in the task when it has ended, a tool's error included", async () => {
    const served = await serveMcp();
    const completed = await createTask(served, { task_id: "t1" });
    await served.runTask(COMPLETED);
    const failed = await createTask(served, { task_id: "t2" });
    await served.runTask({ status: "failed", error: "no disk" });
    const { result } = await rpc(served.port, declaring("tasks/get", { taskId: completed }));
    expect(result).toMatchObject({
      status: "completed",
      result: {
        resultType: "complete",
        structuredContent: { task_id: "t1", status: "completed", result: COMPLETED.result },
      },
    });
    expect(result).not.toHaveProperty("result._meta");
    expect((await rpc(served.port, declaring("tasks/get", { taskId: failed }))).result).toMatchObject({
      status: "completed",
      statusMessage: "no disk",
      result: {
        resultType: "complete",
        isError: true,
        content: [
          { type: "text", text: "no disk" },
          { type: "text", text: '{"error":{"code":"task_failed","message":"no disk","task_id":"t2"}}' },
        ],
      },
    });
    // The same call again answers with the task as it is now, without its result.
    const again = await rpc(served.port, declaring("tools/call", { name: "run_task", arguments: { task_id: "t1" } }));
    expect(again.result).toMatchObject({ resultType: "task", taskId: completed, status: "completed" });
    expect(again.result).not.toHaveProperty("result");
  });

  it("cancels a task, also twice, and one that has ended stays unchanged", async () => {
    const served = await serveMcp();
    const taskId = await createTask(served);
    const ack = { resultType: "complete", _meta: expect.anything() };
    for (let time = 1; time <= 2; time++)
      expect((await rpc(served.port, declaring("tasks/cancel", { taskId }))).result).toEqual(ack);
    const { result } = await rpc(served.port, declaring("tasks/get", { taskId }));
    expect(result).toMatchObject({ status: "cancelled" });
    expect(result).not.toHaveProperty("result");
    const other = await createTask(served);
    await served.runTask(COMPLETED);
    expect((await rpc(served.port, declaring("tasks/cancel", { taskId: other }))).result).toEqual(ack);
    expect(await served.store.findTask("local", other)).toMatchObject(COMPLETED);
  });

  it("may send an update that was not asked for", async () => {
    const served = await serveMcp();
    const taskId = await createTask(served);
    const update = declaring("tasks/update", { taskId, inputResponses: { key: { action: "accept" } } });
    expect((await rpc(served.port, update)).result).toEqual({ resultType: "complete", _meta: expect.anything() });
  });

  it.each(["tasks/get", "tasks/update", "tasks/cancel"])(
    "%s of an unknown task, of another principal's and without a task: the same -32602",
    async (method) => {
      const served = await serveMcp({ tokens: TOKENS });
      const taskId = await createTask(served, {}, (request) => as("a-secret", request));
      const ask = (params: { readonly [key: string]: unknown }) =>
        rpc(served.port, as("b-secret", declaring(method, params)));
      const unknown = await ask({ taskId: "tsk_00000000000000000000000000" });
      expect(unknown).toMatchObject({ status: 200, error: { code: -32602, message: "Task not found" } });
      expect((await ask({ taskId })).error).toEqual(unknown.error);
      expect((await ask({ taskId: 7 })).error).toMatchObject({ code: -32602 });
      expect((await ask({})).error).toMatchObject({ code: -32602 });
      expect(await served.store.findTask("alice", taskId)).toMatchObject({ status: "pending" });
    },
  );

  it.each(["tasks/result", "tasks/list"])("%s is no method", async (method) => {
    const { port } = await serveMcp();
    expect(await rpc(port, declaring(method, { taskId: "t" }))).toMatchObject({ status: 404, error: { code: -32601 } });
  });

  it("must name the task in Mcp-Name as in the message", async () => {
    const served = await serveMcp();
    const taskId = await createTask(served);
    for (const name of [undefined, "another"]) {
      const { headers, body } = declaring("tasks/get", { taskId });
      const answer = await rpc(served.port, { headers: { ...headers, "mcp-name": name }, body: String(body) });
      expect(answer).toMatchObject({ status: 400, error: { code: -32020 } });
    }
  });

  it("gets a tool error for wrong arguments, and no task", async () => {
    const served = await serveMcp();
    const { result } = await rpc(
      served.port,
      declaring("tools/call", { name: "run_task", arguments: { task_type: "gone" } }),
    );
    expect(result).toMatchObject({ resultType: "complete", isError: true });
  });
});

describe("a client of 2026-07-28 that does not declare it", () => {
  it.each([
    ["tasks/get", { taskId: "t" }],
    ["tasks/update", { taskId: "t", inputResponses: {} }],
    ["tasks/cancel", { taskId: "t" }],
    ["subscriptions/listen", { notifications: { taskIds: ["t"] } }],
  ])("gets an error from %s", async (method, params) => {
    const { port } = await serveMcp();
    expect(await rpc(port, modernRequest(method, params))).toMatchObject({
      error: { code: -32021, data: { requiredCapabilities: DECLARED } },
    });
  });

  it("gets no task from run_task, whatever the older `task` says", async () => {
    const { port } = await serveMcp({ runTaskWaitMs: 0 });
    const params = { name: "run_task", arguments: {}, task: { ttl: 1000 } };
    const { result } = await rpc(port, modernRequest("tools/call", params));
    expect(result).toMatchObject({ resultType: "complete", structuredContent: { status: "pending" } });
  });
});

describe("listening to tasks", () => {
  const listen = (taskIds: unknown) =>
    declaring("subscriptions/listen", { notifications: { taskIds, toolsListChanged: true } });
  const _meta = { "io.modelcontextprotocol/subscriptionId": 7 };

  it("is acknowledged with the accepted task ids, and notified of each end, until the server stops", async () => {
    const served = await serveMcp();
    const ended = await createTask(served);
    await served.runTask(COMPLETED);
    const first = await createTask(served);
    // Two tasks of the same millisecond run in any order.
    served.clock.advance(1);
    const second = await createTask(served);
    const stream = openStream(served.port, listen([ended, first, first, "tsk_unknown", second]));
    const { params } = await stream.waitFor("notifications/subscriptions/acknowledged");
    expect(params).toEqual({ _meta, notifications: { taskIds: [ended, first, second] } });
    const notified = () =>
      stream.messages.filter(({ method }) => method === "notifications/tasks").map((each) => each.params);
    await until("the notification of the task that had ended", () => notified().length === 1);
    await served.runTask({ status: "failed", error: "no disk" });
    await until("the notification of the first", () => notified().length === 2);
    await rpc(served.port, declaring("tasks/cancel", { taskId: second }));
    await until("the notification of the second", () => notified().length === 3);
    expect(notified()).toMatchObject([
      {
        _meta,
        taskId: ended,
        status: "completed",
        ttlMs: 86_400_000,
        result: { resultType: "complete", structuredContent: COMPLETED },
      },
      { _meta, taskId: first, status: "completed", result: { resultType: "complete", isError: true } },
      { _meta, taskId: second, status: "cancelled", createdAt: new Date(T0 + 1).toISOString() },
    ]);
    expect(stream.hasEnded).toBe(false);
    served.endStreams();
    expect((await stream.waitFor("result")).result).toMatchObject({ resultType: "complete", _meta });
    expect(stream.messages).toHaveLength(5);
  });

  it("ends at once when no task of the client's own is named, so another principal's tasks reveal nothing", async () => {
    const served = await serveMcp({ tokens: TOKENS });
    const taskId = await createTask(served, {}, (request) => as("a-secret", request));
    const stream = openStream(served.port, as("b-secret", listen([taskId])));
    await stream.waitFor("result");
    expect(stream.messages[0]?.params).toEqual({ _meta, notifications: {} });
    expect(stream.messages).toHaveLength(2);
  });

  it("leaves nothing behind when its client disconnects", async () => {
    const served = await serveMcp();
    const taskId = await createTask(served);
    const stream = openStream(served.port, listen([taskId]));
    await stream.waitFor("notifications/subscriptions/acknowledged");
    stream.close();
    await served.runTask(COMPLETED);
    await rpc(served.port, declaring("tasks/get", { taskId }));
    expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
  });

  it.each([["t"], [[7]], [Array.from({ length: 101 }, () => "t")]])(
    "taskIds must be a list of ids (%#)",
    async (taskIds) => {
      const { port } = await serveMcp();
      expect((await rpc(port, listen(taskIds))).error).toMatchObject({ code: -32602 });
    },
  );

  it("checks the headers like those of every request", async () => {
    const { port } = await serveMcp();
    const { headers, body } = listen(["t"]);
    const answer = await rpc(port, { headers: { ...headers, "mcp-method": "tools/list" }, body: String(body) });
    expect(answer).toMatchObject({ status: 400, error: { code: -32020 } });
  });
});

it("the v2 client asks for a task with its own requests", async () => {
  const served = await serveMcp();
  const client = new Client(
    { name: "v2", version: "0" },
    { versionNegotiation: { mode: { pin: "2026-07-28" } }, capabilities: DECLARED },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(served.url)));
  onTestFinished(() => client.close());
  expect(client.getServerCapabilities()).toMatchObject({ tools: {}, extensions: { [EXTENSION]: {} } });
  const taskId = await createTask(served, { task_id: "t1" });
  await served.runTask(COMPLETED);
  const got = await client.request({ method: "tasks/get", params: { taskId } }, z.looseObject({ status: z.string() }));
  expect(got).toMatchObject({ taskId, status: "completed", result: { structuredContent: COMPLETED } });
  await expect(
    client.request({ method: "tasks/get", params: { taskId: "t1" } }, z.looseObject({})),
  ).rejects.toMatchObject({
    code: -32602,
  });
});
