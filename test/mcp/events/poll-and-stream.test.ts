import { beforeEach, describe, expect, it } from "vitest";
import { aStart, HOUR_MS, T0 } from "../../support/builders.ts";
import { until } from "../../support/until.ts";
import { createEventCursors } from "../../../src/domain/event-cursor.ts";
import { WIRE_VERSIONS } from "../wire.ts";
import { openStream } from "./open-stream.ts";
import { serveEvents } from "./serve-events.ts";
import type { ServedEvents } from "./serve-events.ts";

const AT = new Date(T0).toISOString();
const FAILED = { status: "failed", error: "no disk" } as const;
const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";
const invalid = (field: string, reason: string) => ({
  code: -32602,
  message: "InvalidParams",
  data: { field, reason },
});

/** Cursors that no server of this database has issued. */
const FOREIGN_CURSORS = [
  "yesterday",
  "",
  "evc_",
  "evc_b25l",
  "historyId_99842",
  createEventCursors("another").of(0),
  createEventCursors("another").of(1_000_000),
];

describe.each(WIRE_VERSIONS)("MCP Events without a webhook, in $version:", ({ version, requestOf }) => {
  let served: ServedEvents;
  beforeEach(async () => {
    served = await serveEvents(requestOf);
  });

  describe("events/poll", () => {
    const poll = (params: object = {}) => served.ask("events/poll", { name: "task_finished", ...params });
    /** In this order, but with one wait for the disk. */
    async function endAll(taskIds: readonly string[]): Promise<void> {
      const now = served.clock.now();
      await Promise.all(taskIds.map((taskId) => served.store.startTask(aStart({ taskId, now }))));
      const running = await served.store.claimRunnableTasks({ limit: taskIds.length, now });
      const idOf = new Map(running.map(({ taskId, id }) => [taskId, id]));
      const outcome = { status: "completed", result: null } as const;
      await Promise.all(taskIds.map((taskId) => served.store.finishTask({ id: idOf.get(taskId)!, outcome, now })));
    }
    const tasksIn = (result: Record<string, unknown>) =>
      (result["events"] as { data: { task_id: string } }[]).map(({ data }) => data.task_id);

    it.each([
      ["null", { cursor: null }],
      ["absent", {}],
    ])("with a cursor that is %s starts from now: no events, and a place", async (_, params) => {
      await served.endTask("before");
      const first = await poll({ ...params, maxAgeMs: HOUR_MS });
      expect(first).toEqual({
        events: [],
        cursor: expect.stringMatching(/./),
        truncated: false,
        hasMore: false,
        nextPollMs: 5000,
      });
      await served.endTask("after");
      expect(tasksIn(await poll({ cursor: first["cursor"] }))).toEqual(["after"]);
    });

    it("returns the events after the cursor in the form of a webhook, without a cursor in each, as often as it is called", async () => {
      const { cursor } = await poll();
      await served.endTask("task-1", { outcome: FAILED });
      const page = await poll({ cursor });
      expect(page["events"]).toEqual([
        {
          eventId: expect.stringMatching(/^evt_/),
          name: "task_finished",
          timestamp: AT,
          data: {
            task_id: "task-1",
            started_by: "starter",
            status: "failed",
            sequence: 1,
            error: "no disk",
            finished_at: AT,
          },
        },
      ]);
      expect(await poll({ cursor })).toEqual(page);
      expect(await poll({ cursor: page["cursor"] })).toMatchObject({ events: [], cursor: page["cursor"] });
    });

    it("filters by name, task and principal; the cursor moves past other events", async () => {
      const { cursor } = await poll();
      await served.endTask("one");
      await served.endTask("two", { outcome: FAILED });
      await served.endTask("three", { principal: "another" });
      expect(tasksIn(await poll({ cursor }))).toEqual(["one", "two"]);
      expect(tasksIn(await poll({ cursor, name: "task_failed" }))).toEqual(["two"]);
      expect(tasksIn(await poll({ cursor, arguments: { task_id: "one" } }))).toEqual(["one"]);
      expect(tasksIn(await poll({ cursor, arguments: { task_id: "three" } }))).toEqual([]);
      const none = await poll({ cursor, name: "task_cancelled" });
      expect(none["events"]).toEqual([]);
      expect(none["cursor"]).not.toBe(cursor);
    });

    it("returns pages of maxEvents, at most a hundred", async () => {
      let { cursor } = await poll();
      const from = cursor;
      const taskIds = Array.from({ length: 101 }, (_, index) => `task-${index}`);
      await endAll(taskIds);
      const seen: string[] = [];
      const sizes: number[] = [];
      for (let hasMore: unknown = true; hasMore === true;) {
        const page = await poll({ cursor, maxEvents: 40 });
        ({ cursor, hasMore } = page);
        seen.push(...tasksIn(page));
        sizes.push(tasksIn(page).length);
      }
      expect(sizes).toEqual([40, 40, 21]);
      expect(seen).toEqual(taskIds);
      const largest = await poll({ cursor: from, maxEvents: 1_000_000 });
      expect([tasksIn(largest).length, largest["hasMore"]]).toEqual([100, true]);
    });

    it("reports events that are left out for their age or were removed by retention, and goes on", async () => {
      const { cursor } = await poll();
      await served.endTask("old");
      served.clock.advance(1000);
      await served.endTask("young");
      expect(await poll({ cursor, maxAgeMs: 1000 })).toMatchObject({ truncated: false, events: [{}, {}] });
      const aged = await poll({ cursor, maxAgeMs: 999 });
      expect([tasksIn(aged), aged["truncated"]]).toEqual([["young"], true]);
      await served.store.pruneHistory({ before: T0 + 1, limit: 9, after: null });
      const pruned = await poll({ cursor });
      expect([tasksIn(pruned), pruned["truncated"]]).toEqual([["young"], true]);
      expect(await poll({ cursor: pruned["cursor"] })).toMatchObject({ events: [], truncated: false });
    });

    it("of a place that was lost with an older file goes on from now, and says that something is lost", async () => {
      const ahead = await serveEvents(requestOf);
      for (const taskId of ["a", "b", "c"]) await ahead.endTask(taskId);
      const { cursor } = await ahead.ask("events/poll", { name: "task_finished" });
      const first = await poll({ cursor });
      expect(first).toMatchObject({ events: [], truncated: true });
      await served.endTask("after");
      expect(tasksIn(await poll({ cursor: first["cursor"] }))).toEqual(["after"]);
    });

    it.each(FOREIGN_CURSORS)(
      "with a foreign cursor (%s) goes on from now, and says that something is lost",
      async (cursor) => {
        await served.endTask("before");
        const first = await poll({ cursor });
        expect(first).toMatchObject({
          events: [],
          truncated: true,
          hasMore: false,
          cursor: expect.stringMatching(/^evc_/),
        });
        expect(first["cursor"]).toBe((await poll({ cursor: null }))["cursor"]);
        await served.endTask("after");
        expect(await poll({ cursor: first["cursor"] })).toMatchObject({
          truncated: false,
          events: [{ data: { task_id: "after" } }],
        });
      },
    );

    it.each([
      ["an unknown event", { name: "x" }, { code: -32011, message: "NotFound", data: { kind: "event" } }],
      ["no event", { name: undefined }, invalid("name", "wrong_type")],
      ["an undeclared argument", { arguments: { colour: "red" } }, invalid("arguments", "undeclared")],
      ["a wrong argument", { arguments: { task_id: 5 } }, invalid("arguments.task_id", "wrong_type")],
      ["a cursor that is no text", { cursor: 7 }, invalid("cursor", "wrong_type")],
      ["a cursor that is a list", { cursor: ["evc_MQ"] }, invalid("cursor", "wrong_type")],
      ["no events at all", { maxEvents: 0 }, invalid("maxEvents", "invalid")],
      ["half an event", { maxEvents: 1.5 }, invalid("maxEvents", "wrong_type")],
      ["a negative age", { maxAgeMs: -1 }, invalid("maxAgeMs", "invalid")],
    ])("refuses to ask for %s", async (_, params, want) => {
      expect(await served.fail("events/poll", { name: "task_finished", ...params })).toEqual(want);
    });
  });

  describe("events/stream", () => {
    const open = (params: object = {}) => openStream(served, requestOf, { name: "task_finished", ...params });
    const _meta = { [SUBSCRIPTION_ID]: 7 };
    /** The stream waits for its next event or heartbeat, beside the dispatcher's timer. */
    const waits = () => until("the stream waits", () => served.clock.sleeping === 2);

    it("is confirmed first, and then sends events as they happen, each with its cursor", async () => {
      await served.endTask("before");
      const stream = await open();
      expect(stream.contentType).toContain("text/event-stream");
      const active = await stream.next();
      expect(active).toEqual({
        method: "notifications/events/active",
        params: { _meta, cursor: expect.any(String), truncated: false },
      });
      await served.endTask("task-1");
      const event = await stream.next();
      expect(event).toEqual({
        method: "notifications/events/event",
        params: {
          _meta,
          eventId: expect.stringMatching(/^evt_/),
          name: "task_finished",
          timestamp: AT,
          data: { task_id: "task-1", started_by: "starter", status: "completed", sequence: 1, finished_at: AT },
          cursor: expect.any(String),
        },
      });
      const { cursor } = event!.params!;
      expect(cursor).not.toBe(active!.params!["cursor"]);
      await served.endTask("task-2");
      const again = await open({ cursor });
      expect(await again.next()).toMatchObject({ method: "notifications/events/active", params: { cursor } });
      expect(await again.next()).toMatchObject({ params: { data: { task_id: "task-2" } } });
    });

    it("carries only what it was opened for", async () => {
      const stream = await open({ name: "task_failed", arguments: { task_id: "mine" } });
      await stream.next();
      await served.endTask("mine-not");
      await served.endTask("theirs", { principal: "another", outcome: FAILED });
      await served.endTask("mine", { outcome: FAILED });
      expect(await stream.next()).toMatchObject({ params: { name: "task_failed", data: { task_id: "mine" } } });
    });

    it("beats within 30 seconds while nothing happens, as a message with the place that is now", async () => {
      const stream = await open();
      await stream.next();
      await served.endTask("other", { principal: "another" });
      for (let beat = 0; beat < 2; beat++) {
        await waits();
        served.clock.advance(30_000);
        expect(await stream.next()).toEqual({
          method: "notifications/events/heartbeat",
          params: { _meta, cursor: expect.any(String) },
        });
      }
      await served.endTask("task-1");
      expect(await stream.next()).toMatchObject({ params: { data: { task_id: "task-1" } } });
    });

    it("begins with the events after its cursor, and reports events that are left out for their age", async () => {
      const { cursor } = await served.ask("events/poll", { name: "task_finished" });
      await served.endTask("old");
      served.clock.advance(1000);
      await served.endTask("young");
      const all = await open({ cursor });
      expect(await all.next()).toMatchObject({ params: { truncated: false } });
      expect(await all.next()).toMatchObject({ params: { data: { task_id: "old" } } });
      expect(await all.next()).toMatchObject({ params: { data: { task_id: "young" } } });
      const some = await open({ cursor, maxAgeMs: 999 });
      expect(await some.next()).toMatchObject({ method: "notifications/events/active", params: { truncated: true } });
      expect(await some.next()).toMatchObject({ params: { data: { task_id: "young" } } });
    });

    it.each(FOREIGN_CURSORS)(
      "with a foreign cursor (%s) begins now, and says that something is lost",
      async (cursor) => {
        await served.endTask("before");
        const stream = await open({ cursor });
        const active = await stream.next();
        expect(active).toMatchObject({ method: "notifications/events/active", params: { truncated: true } });
        await served.endTask("after");
        expect(await stream.next()).toMatchObject({ params: { data: { task_id: "after" } } });
        const again = await open({ cursor: active!.params!["cursor"] });
        expect(await again.next()).toMatchObject({ params: { truncated: false } });
        expect(await again.next()).toMatchObject({ params: { data: { task_id: "after" } } });
      },
    );

    it.each([
      ["an unknown event", { name: "x" }, { code: -32011, message: "NotFound", data: { kind: "event" } }],
      ["a wrong argument", { arguments: { task_id: 5 } }, invalid("arguments.task_id", "wrong_type")],
      ["a cursor that is no text", { cursor: 7 }, invalid("cursor", "wrong_type")],
    ])("for %s is an error and nothing else", async (_, params, want) => {
      const stream = await open(params);
      expect(await stream.next()).toEqual({ id: 7, error: want });
      expect(await stream.next()).toBeNull();
    });

    it("that its client leaves stops at once: nothing waits any more", async () => {
      const stream = await open();
      await stream.next();
      await waits();
      stream.close();
      await until("only the dispatcher waits", () => served.clock.sleeping === 1);
      await served.endTask("task-1");
      await served.quiet();
    });

    it("goes on beside other requests and other streams of the same client", async () => {
      const streams = await Promise.all([open(), open(), open({ name: "task_completed" })]);
      for (const stream of streams) expect(await stream.next()).toMatchObject({ params: { truncated: false } });
      expect(await served.ask("events/list")).toHaveProperty("events");
      await served.endTask("task-1");
      for (const stream of streams)
        expect(await stream.next()).toMatchObject({ params: { data: { task_id: "task-1" } } });
    });

    it("that the server ends has a result as its last message", async () => {
      const stream = await open();
      await stream.next();
      await waits();
      served.endStreams();
      const last = await stream.next();
      expect(last).toMatchObject({ id: 7, result: { _meta } });
      expect(last!.result!["resultType"]).toBe(version === "2026-07-28" ? "complete" : undefined);
      expect(await stream.next()).toBeNull();
    });
  });
});
