import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { until } from "../support/until.ts";
import { NOW } from "./asking.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { openStream } from "./stream.ts";
import { legacyRequest, rpc } from "./wire.ts";

const COMPLETED = { status: "completed", result: { pages: 3 } } as const;
const TOKENS = [
  { name: "alice", token: "a-secret" },
  { name: "bob", token: "b-secret" },
];
const RELATED = "io.modelcontextprotocol/related-task";

async function connect({ url }: ServedMcp, token?: string): Promise<Client> {
  const client = new Client({ name: "v1", version: "0" });
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  onTestFinished(() => client.close());
  await client.listTools();
  return client;
}

const created = z.object({ task: z.object({ taskId: z.string() }) });

async function createTask({ port }: ServedMcp, given: object = {}): Promise<string> {
  const { result } = await rpc(port, legacyRequest("tools/call", { name: "run_task", arguments: given, task: {} }));
  return created.parse(result).task.taskId;
}

/** A `tasks/result` that waits for the end of its task. */
async function waitingFor({ port, store }: ServedMcp, taskId: string) {
  const found = vi.spyOn(store, "findTaskById");
  const stream = openStream(port, legacyRequest("tasks/result", { taskId }));
  // The task is read twice: to find it, and to wait for its end.
  await until(
    "the task is found",
    () => found.mock.settledResults.filter(({ type }) => type === "fulfilled").length === 2,
  );
  return stream;
}

describe("the v1 client's experimental tasks", () => {
  it("create a task, follow it and get its result", async () => {
    const served = await serveMcp();
    const client = await connect(served);
    expect(client.getServerCapabilities()).toMatchObject({
      tools: {},
      tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
    });
    const seen = [];
    const given = { name: "run_task", arguments: { task_id: "t1" } };
    const stream = client.experimental.tasks.callToolStream(given, CallToolResultSchema, { task: { ttl: 5 } });
    for await (const message of stream) {
      seen.push(message);
      if (message.type === "taskCreated") await served.runTask(COMPLETED);
    }
    const taskId = (await served.store.findTask("local", "t1"))?.id;
    expect(seen).toMatchObject([
      { type: "taskCreated", task: { taskId, status: "working", ttl: 86_400_000, createdAt: NOW } },
      { type: "taskStatus", task: { taskId, status: "completed" } },
      {
        type: "result",
        result: { structuredContent: { task_id: "t1", ...COMPLETED }, _meta: { [RELATED]: { taskId } } },
      },
    ]);
  });

  it("ask for a task by themselves, since run_task declares it, and get its failure with the reason", async () => {
    const served = await serveMcp();
    const client = await connect(served);
    const stream = client.experimental.tasks.callToolStream({ name: "run_task", arguments: {} });
    const seen = [];
    for await (const message of stream) {
      seen.push(message);
      if (message.type === "taskCreated") await served.runTask({ status: "failed", error: "no disk" });
    }
    expect(seen).toMatchObject([
      { type: "taskCreated" },
      { type: "taskStatus", task: { status: "failed", statusMessage: "no disk" } },
      { type: "error" },
    ]);
    const { tasks } = await client.experimental.tasks.listTasks();
    expect(tasks).toMatchObject([{ status: "failed" }]);
    expect(await client.experimental.tasks.getTaskResult(tasks[0]!.taskId, CallToolResultSchema)).toMatchObject({
      isError: true,
    });
  });

  it("wait for the result in one request, for as long as that takes", async () => {
    const served = await serveMcp();
    const client = await connect(served);
    const taskId = await createTask(served, { task_id: "t1" });
    const result = client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema);
    await served.runTask(COMPLETED);
    expect(await result).toMatchObject({ structuredContent: COMPLETED });
    expect(await client.experimental.tasks.getTask(taskId)).toMatchObject({ status: "completed" });
  });

  it("cancel a task, and get an error when it had already ended", async () => {
    const served = await serveMcp();
    const client = await connect(served);
    const taskId = await createTask(served);
    expect(await client.experimental.tasks.cancelTask(taskId)).toMatchObject({ taskId, status: "cancelled" });
    await expect(client.experimental.tasks.cancelTask(taskId)).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining("already in terminal status 'cancelled'"),
    });
    expect(await client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema)).toMatchObject({
      isError: true,
    });
  });

  it("list the principal's own MCP tasks only, the newest first, in pages", async () => {
    const served = await serveMcp({ tokens: TOKENS });
    const [alice, bob] = [await connect(served, "a-secret"), await connect(served, "b-secret")];
    const authorization = { authorization: "Bearer a-secret" };
    const call = async (params: object): Promise<unknown> => {
      const { headers, ...request } = legacyRequest("tools/call", params);
      return (await rpc(served.port, { ...request, headers: { ...headers, ...authorization } })).result;
    };
    const start = (taskId: string) => call({ name: "run_task", arguments: { task_id: taskId }, task: {} });
    await call({ name: "start_task_with_callbacks", arguments: { task_id: "plain", client_id: "alice" } });
    await start("t0");
    const startedBy = Date.now();
    await until("what is started from now on is newer", () => Date.now() > startedBy);
    await Promise.all(Array.from({ length: 20 }, (_, index) => start(`t${index + 1}`)));
    const first = await alice.experimental.tasks.listTasks();
    expect(first.tasks).toHaveLength(20);
    const second = await alice.experimental.tasks.listTasks(first.nextCursor);
    expect(second.nextCursor).toBeUndefined();
    const ids = [...first.tasks, ...second.tasks].map(({ taskId }) => taskId);
    expect(new Set(ids).size).toBe(21);
    expect(ids.at(-1)).toBe((await served.store.findTask("alice", "t0"))?.id);
    expect((await bob.experimental.tasks.listTasks()).tasks).toEqual([]);
    // A task that was started by another tool can be read, and is listed once it was started as an MCP task.
    const plain = (await served.store.findTask("alice", "plain"))!.id;
    expect(await alice.experimental.tasks.getTask(plain)).toMatchObject({ taskId: plain, status: "working" });
    expect(ids).not.toContain(plain);
    await start("plain");
    expect((await alice.experimental.tasks.listTasks(first.nextCursor)).tasks.map(({ taskId }) => taskId)).toContain(
      plain,
    );
    for (const ask of [
      bob.experimental.tasks.getTask(ids[0]!),
      bob.experimental.tasks.cancelTask(ids[0]!),
      bob.experimental.tasks.getTaskResult(ids[0]!, CallToolResultSchema),
      alice.experimental.tasks.getTask("tsk_00000000000000000000000000"),
    ])
      await expect(ask).rejects.toThrow("Failed to retrieve task: Task not found");
  });
});

describe("tasks of 2025-11-25", () => {
  it.each([
    ["tools/call", { name: "run_task", arguments: {}, task: 7 }],
    ["tools/call", { name: "run_task", arguments: {}, task: { ttl: "long" } }],
    ["tasks/get", {}],
    ["tasks/get", { taskId: 7 }],
    ["tasks/result", { taskId: "t" }],
    ["tasks/cancel", { taskId: null }],
    ["tasks/list", { cursor: "nonsense" }],
    ["tasks/list", { cursor: 7 }],
  ])("%s with %j is -32602", async (method, params) => {
    const served = await serveMcp();
    const stream = openStream(served.port, legacyRequest(method, params));
    const { error } = await until(
      "an answer",
      async () => stream.messages[0] ?? (await rpc(served.port, legacyRequest(method, params)).catch(() => null)),
    );
    expect(error).toMatchObject({ code: -32602 });
    expect(await served.store.counts()).toMatchObject({ activeTasks: 0 });
  });

  it("a tool that starts no task says so", async () => {
    const { port } = await serveMcp();
    const params = { name: "get_registered_callbacks", arguments: { task_id: "t" }, task: { ttl: 1000 } };
    expect((await rpc(port, legacyRequest("tools/call", params))).error).toMatchObject({ code: -32601 });
  });

  it("tasks/update is an unknown method", async () => {
    const { port } = await serveMcp();
    expect((await rpc(port, legacyRequest("tasks/update", { taskId: "t" }))).error).toMatchObject({ code: -32601 });
  });

  it("a client that disconnects while it waits for a result leaves nothing behind", async () => {
    const served = await serveMcp();
    const taskId = await createTask(served);
    const stream = await waitingFor(served, taskId);
    stream.close();
    await served.runTask(COMPLETED);
    expect((await rpc(served.port, legacyRequest("tasks/get", { taskId }))).result).toMatchObject({
      status: "completed",
    });
    expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
  });

  it("a client that waits for a result when the server stops is asked to repeat the request", async () => {
    const served = await serveMcp();
    const taskId = await createTask(served);
    const stream = await waitingFor(served, taskId);
    served.endStreams();
    const answer = await until("an answer", () => stream.messages[0]);
    expect(answer).toMatchObject({ error: { code: -32603, message: "The server is stopping; ask again later" } });
  });
});
