import { beforeEach, describe, expect, it } from "vitest";
import { T0 } from "../support/builders.ts";
import { until } from "../support/until.ts";
import { NOW } from "./asking.ts";
import { connectV1, connectV2, VERSIONS } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { openStream } from "./stream.ts";
import { legacyRequest, rpc, send, WIRE_VERSIONS } from "./wire.ts";

const COMPLETED = { status: "completed", result: { pages: 3 } } as const;
const TOKENS = [
  { name: "alice", token: "a-secret" },
  { name: "bob", token: "b-secret" },
];

/** Plays the runner as soon as a task exists. */
const runNext = (served: ServedMcp, outcome?: Parameters<ServedMcp["runTask"]>[0]) =>
  until("a task is pending", () =>
    served.runTask(outcome).then(
      () => true,
      () => false,
    ),
  );

describe.each([...VERSIONS, { version: "2025-11-25, by the v2 client", connect: connectV2() }])(
  "run_task for a client that knows no tasks, of $version",
  ({ connect }) => {
    let served: ServedMcp;
    let client: Awaited<ReturnType<typeof connect>>;
    const run = (given: Record<string, unknown> = {}) => client.callTool("run_task", given);

    beforeEach(async () => {
      served = await serveMcp();
      client = await connect(served.url);
      // With the outputSchema the client validates every answer.
      await client.listTools();
    });

    it("waits and answers with the result, keys in order", async () => {
      const answer = run({ task_id: "t1", input: { pages: 3 } });
      await runNext(served, COMPLETED);
      const { isError, structured, text } = await answer;
      expect(isError).toBe(false);
      expect(text).toBe(JSON.stringify(structured));
      expect(text).toBe(
        JSON.stringify({
          task_id: "t1",
          status: "completed",
          result: COMPLETED.result,
          message: "✅ Task completed!",
          timestamp: NOW,
        }),
      );
    });

    it.each([
      [{ status: "failed", error: "no disk" }, "task_failed"],
      [{ status: "cancelled", error: "not wanted" }, "task_cancelled"],
    ] as const)("answers with an error when the task ends as %j", async (outcome, code) => {
      const answer = run({ task_id: "t1" });
      await runNext(served, outcome);
      const { text, error } = await answer;
      expect({ text, error }).toEqual({ text: outcome.error, error: { code, message: outcome.error, task_id: "t1" } });
    });

    it("gives a task without an id a new one, which all other tools accept; its started_by is the principal", async () => {
      const answer = run();
      await runNext(served, COMPLETED);
      const taskId = String((await answer).structured?.["task_id"]);
      expect(taskId).toMatch(/^tsk_[0-9a-z]{26}$/);
      expect(await served.store.findTask("local", taskId)).toMatchObject({
        id: taskId,
        clientId: "local",
        taskType: "demo",
      });
      const { structured } = await client.callTool("get_task_result", { task_id: taskId });
      expect(structured).toMatchObject(COMPLETED);
    });

    it("the same call again finds the same task, ended or not", async () => {
      const first = run({ task_id: "t1" });
      await runNext(served, COMPLETED);
      expect(await run({ task_id: "t1" })).toEqual(await first);
      const { error } = await run({ task_id: "t1", input: { other: true } });
      expect(error).toMatchObject({ code: "conflict" });
    });

    it("after the wait it answers with the task_id and what to do, and the task goes on", async () => {
      const answer = run({ task_id: "t1" });
      await runNext(served);
      await until("it waits", () => served.clock.sleeping > 0);
      served.clock.advance(50_000);
      const { isError, structured } = await answer;
      expect({ isError, structured }).toMatchObject({
        isError: false,
        structured: { task_id: "t1", status: "running", result: null },
      });
      expect(structured?.["message"]).toMatch(/wait_for_task with task_id t1 .*register_callback with task_id t1 /);
      expect(await served.store.findTask("local", "t1")).toMatchObject({ status: "running" });
      const registration = { task_id: "t1", client_id: "c", callback_url: "http://localhost:8011/webhook/c" };
      expect(await client.callTool("register_callback", registration)).toMatchObject({ isError: false });
      expect(served.clock.sleeping).toBe(0);
    });

    it.each([
      [{ task_type: "gone" }, "invalid"],
      [{ task_type: "" }, "invalid"],
      [{ task_id: "" }, "invalid"],
      [{ client_id: 7 }, "invalid"],
      [{ input: [] }, "invalid"],
      [{ wait: true }, "invalid"],
    ])("%j is %s, and nothing is started", async (given, code) => {
      const { error } = await run(given);
      expect(error).toMatchObject({ code });
      expect(await served.store.counts()).toMatchObject({ activeTasks: 0 });
    });
  },
);

describe.each(WIRE_VERSIONS)("waiting for a task ($version)", ({ requestOf }) => {
  it("sends progress once a second to a client that asks for it", async () => {
    const served = await serveMcp();
    const params = {
      name: "run_task",
      arguments: { task_id: "t1", task_type: "quick" },
      _meta: { progressToken: "p1" },
    };
    const stream = openStream(served.port, requestOf("tools/call", params));
    await until("it waits", () => served.clock.sleeping === 2);
    served.clock.advance(20);
    served.clock.advance(980);
    const { params: progress } = await stream.waitFor("notifications/progress");
    expect(progress).toMatchObject({ progressToken: "p1", progress: 1, message: "Task t1 was started 1 s ago" });
    await runNext(served, COMPLETED);
    const { result } = await stream.waitFor("result");
    expect(result).toMatchObject({ structuredContent: { status: "completed" } });
    expect(stream.messages).toHaveLength(2);
  });

  it("sends the expected total as long as it may be true", async () => {
    const served = await serveMcp();
    const params = { name: "run_task", arguments: { task_id: "t1" }, _meta: { progressToken: 1 } };
    const stream = openStream(served.port, requestOf("tools/call", params));
    for (let second = 1; second <= 11; second++) {
      await until("it waits", () => served.clock.sleeping === 2);
      served.clock.advance(1000);
      await until("the next progress", () => stream.messages.length === second);
    }
    expect(stream.messages[9]?.params).toMatchObject({ progress: 10, total: 10 });
    expect(stream.messages[10]?.params).not.toHaveProperty("total");
  });

  it("ends with the task_id when the server stops, and the task stays", async () => {
    const served = await serveMcp();
    const answer = rpc(served.port, requestOf("tools/call", { name: "run_task", arguments: { task_id: "t1" } }));
    await until("it waits", () => served.clock.sleeping > 0);
    served.endStreams();
    expect((await answer).result).toMatchObject({ structuredContent: { task_id: "t1", status: "pending" } });
  });

  it("a client that disconnects ends the wait and not the task", async () => {
    const served = await serveMcp();
    const params = { name: "run_task", arguments: { task_id: "t1" }, _meta: { progressToken: "p1" } };
    const stream = openStream(served.port, requestOf("tools/call", params));
    await until("it waits", () => served.clock.sleeping === 2);
    stream.close();
    await until("no request waits", () => served.clock.sleeping === 0);
    expect(await served.store.findTask("local", "t1")).toMatchObject({ status: "pending" });
    await served.runTask(COMPLETED);
    expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
  });
});

describe("run_task", () => {
  it("with a wait of 0 answers at once", async () => {
    const served = await serveMcp({ runTaskWaitMs: 0 });
    const { result } = await rpc(served.port, legacyRequest("tools/call", { name: "run_task", arguments: {} }));
    expect(result).toMatchObject({ structuredContent: { status: "pending" } });
  });

  it("sends the principal as started_by", async () => {
    const served = await serveMcp({ tokens: TOKENS, runTaskWaitMs: 0 });
    const client = await connectV1(served.url, { token: "a-secret" });
    await client.callTool("run_task", { task_id: "t1" });
    expect(await served.store.findTask("alice", "t1")).toMatchObject({ clientId: "alice", createdAt: T0 });
    expect(await served.store.findTask("bob", "t1")).toBeNull();
  });

  it("declares task support in 2025-11-25 only", async () => {
    const { port } = await serveMcp();
    const [legacy, modern] = await Promise.all(
      WIRE_VERSIONS.map(({ requestOf }) => send(port, requestOf("tools/list"))),
    );
    expect(legacy?.text.match(/"execution":\{"taskSupport":"optional"\}/g)).toHaveLength(1);
    expect(modern?.text).not.toContain("execution");
  });
});
