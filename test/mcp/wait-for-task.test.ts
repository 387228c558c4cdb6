import { beforeEach, describe, expect, it } from "vitest";
import { until } from "../support/until.ts";
import { START } from "./asking.ts";
import { VERSIONS } from "./clients.ts";
import type { TestClient } from "./clients.ts";
import { createWaitSlots } from "../../src/mcp/tasks/wait-slots.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { openStream } from "./stream.ts";
import { rpc, WIRE_VERSIONS } from "./wire.ts";

const { task_id } = START;
const COMPLETED = { status: "completed", result: { pages: 3 } } as const;

describe.each(VERSIONS)("wait_for_task, called by a client of $version", ({ connect }) => {
  let served: ServedMcp;
  let client: TestClient;
  const wait = (given: Record<string, unknown> = {}) => client.callTool("wait_for_task", { task_id, ...given });

  beforeEach(async () => {
    served = await serveMcp();
    client = await connect(served.url);
    await client.listTools();
    await client.callTool("start_task_with_callbacks", START);
  });

  it.each([COMPLETED, { status: "failed", error: "no disk" }, { status: "cancelled", error: "not wanted" }] as const)(
    "answers a task's end as get_task_result does: %j",
    async (outcome) => {
      const answer = wait();
      await until("it waits", () => served.clock.sleeping > 0);
      await served.runTask(outcome);
      expect(await answer).toEqual(await client.callTool("get_task_result", { task_id }));
      expect(await answer).toMatchObject({ isError: false, structured: { task_id, ...outcome } });
      expect(served.clock.sleeping).toBe(0);
    },
  );

  it("answers at once when the task has ended before", async () => {
    await served.runTask(COMPLETED);
    expect((await wait()).structured).toMatchObject(COMPLETED);
  });

  it.each([
    [{}, 50_000],
    [{ wait_ms: 1200 }, 1200],
    [{ wait_ms: "1200" }, 1200],
    [{ wait_ms: null }, 50_000],
    [{ wait_ms: 3_600_000 }, 50_000],
  ])("says that the task still runs when the wait is over (%j)", async (given, waitMs) => {
    await served.runTask();
    const answer = wait(given);
    await until("it waits", () => served.clock.sleeping > 0);
    served.clock.advance(waitMs - 1);
    expect(served.clock.sleeping).toBe(1);
    served.clock.advance(1);
    expect(await answer).toEqual(await client.callTool("get_task_result", { task_id }));
    expect((await answer).structured).toMatchObject({ status: "running", result: null });
  });

  it("does not wait with a wait of 0", async () => {
    expect((await wait({ wait_ms: 0 })).structured).toMatchObject({ status: "pending" });
  });

  it.each([
    [{ task_id: "never_started" }, "not_found", /^Task never_started is unknown/],
    [{ task_id: "" }, "invalid", /^task_id must be/],
    [{ wait_ms: -1 }, "invalid", "wait_ms must be a whole number between 0 and 3600000; it is -1."],
    [{ wait_ms: 3_600_001 }, "invalid", "wait_ms must be a whole number between 0 and 3600000; it is 3600001."],
    [{ wait_ms: "soon" }, "invalid", 'wait_ms must be a whole number between 0 and 3600000; it is "soon".'],
    [{ timeout: 5 }, "invalid", 'unknown argument "timeout", leave it out.'],
  ])("%j is %s", async (given, code, message) => {
    const { error } = await wait(given);
    expect(error).toEqual({ code, message: expect.stringMatching(message) });
  });

  it("never waits for another principal's task", async () => {
    const tokens = ["ann", "bob"].map((name) => ({ name, token: `${name}-token-1` }));
    const both = await serveMcp({ tokens });
    const ann = await connect(both.url, { token: "ann-token-1" });
    const bob = await connect(both.url, { token: "bob-token-1" });
    await ann.callTool("start_task_with_callbacks", START);
    expect((await bob.callTool("wait_for_task", { task_id })).error?.code).toBe("not_found");
  });
});

describe.each(WIRE_VERSIONS)("a wait for a task, in $version", ({ requestOf }) => {
  const started = async (): Promise<ServedMcp> => {
    const served = await serveMcp();
    await rpc(served.port, requestOf("tools/call", { name: "start_task_with_callbacks", arguments: START }));
    return served;
  };
  const params = { name: "wait_for_task", arguments: { task_id } };

  it("sends progress to a request that asks for it", async () => {
    const served = await started();
    const stream = openStream(served.port, requestOf("tools/call", { ...params, _meta: { progressToken: "p" } }));
    await until("it waits", () => served.clock.sleeping === 2);
    served.clock.advance(1000);
    expect((await stream.waitFor("notifications/progress")).params).toMatchObject({ progressToken: "p", progress: 1 });
    await served.runTask(COMPLETED);
    expect((await stream.waitFor("result")).result).toMatchObject({ structuredContent: COMPLETED });
  });

  it.each([{}, { _meta: { progressToken: "p" } }])("ends when its client disconnects (%j)", async (meta) => {
    const served = await started();
    const stream = openStream(served.port, requestOf("tools/call", { ...params, ...meta }));
    await until("it waits", () => served.clock.sleeping > 0);
    stream.close();
    await until("the wait has ended", () => served.clock.sleeping === 0);
    await served.runTask(COMPLETED);
    expect(served.emitted.filter(({ kind }) => kind === "internal.failed")).toEqual([]);
  });

  it("ends when the server stops", async () => {
    const served = await started();
    const answer = rpc(served.port, requestOf("tools/call", params));
    await until("it waits", () => served.clock.sleeping > 0);
    served.endStreams();
    expect((await answer).result).toMatchObject({ structuredContent: { task_id, status: "pending" } });
  });
});

describe("the slots of waits", () => {
  it("are bounded in all and for each principal, and released when a wait ends", () => {
    const slots = createWaitSlots(3, 2);
    const first = slots.acquire("ann");
    expect([first, slots.acquire("ann"), slots.acquire("ann"), slots.acquire("bob"), slots.acquire("bob")]).toEqual([
      expect.any(Function),
      expect.any(Function),
      null,
      expect.any(Function),
      null,
    ]);
    first?.();
    expect([slots.acquire("bob"), slots.acquire("ann")]).toEqual([expect.any(Function), null]);
  });

  it("are shared by wait_for_task and run_task, and a call that gets none answers at once", async () => {
    const served = await serveMcp();
    const { requestOf } = WIRE_VERSIONS[0];
    const call = (name: string, given: object) => rpc(served.port, requestOf("tools/call", { name, arguments: given }));
    await call("start_task_with_callbacks", START);
    const waits = Array.from({ length: 500 }, () => call("wait_for_task", { task_id }));
    await until("all slots are taken", () => served.clock.sleeping === 500);
    for (const name of ["wait_for_task", "run_task"])
      expect((await call(name, { task_id: name === "run_task" ? "other" : task_id })).result).toMatchObject({
        structuredContent: { status: "pending" },
      });
    await served.runTask(COMPLETED);
    for (const { result } of await Promise.all(waits)) expect(result).toMatchObject({ structuredContent: COMPLETED });
    expect(served.clock.sleeping).toBe(0);
  });
});
