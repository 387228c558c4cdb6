/** `events/stream` below the wire: with a clock of the test's own, since its heartbeat is 20 seconds. */
import { expect, onTestFinished, test } from "vitest";
import { createEventCursors } from "../../src/domain/event-cursor.ts";
import { createEvents } from "../../src/service/events.ts";
import type { EventsRequest } from "../../src/service/events.ts";
import type { Notifier } from "../../src/service/ports/notifier.ts";
import { createTaskRegistry } from "../../src/tasks/runner/registry.ts";
import { aTaskType } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStorage } from "../support/sqlite-store.ts";
import { createTestTasks } from "../support/tasks.ts";
import { until } from "../support/until.ts";

const HEARTBEAT_MS = 20_000;
const STREAMS_MAX = 512;
const EVERYTHING: EventsRequest = { name: "task_finished", taskId: null, cursor: null, maxAgeMs: null };

async function setUp() {
  const clock = createFakeClock();
  const storage = await openTestStorage({ clock, emit: () => {} });
  const { store, notifier } = storage;
  onTestFinished(() => store.close());
  let listeners = 0;
  const countingNotifier: Notifier = {
    ...notifier,
    onEndOfPrincipal(principal, subscriber) {
      const unsubscribe = notifier.onEndOfPrincipal(principal, subscriber);
      listeners++;
      return () => {
        listeners--;
        unsubscribe();
      };
    },
  };
  const events = createEvents({ store, clock, notifier: countingNotifier });
  const cursorOf = createEventCursors(await store.eventLog()).of;
  const { tasks } = createTestTasks({ storage, clock, catalog: createTaskRegistry([aTaskType({ expectedMs: 0 })]) });

  return {
    clock,
    cursorOf,
    get listeners() {
      return listeners;
    },
    async endTask(principal: string, taskId: string) {
      await tasks.start(principal, { taskId, clientId: "c", taskType: "demo", input: null });
      const [task] = await store.claimRunnableTasks({ limit: 1, now: clock.now() });
      if (task === undefined) throw new Error("No task is pending");
      await tasks.finish(task, { status: "completed", result: null });
    },
    /** The messages of a stream of alice's. */
    follow(request: EventsRequest) {
      const messages: string[] = [];
      const leaving = new AbortController();
      const sink = {
        active: async (cursor: string, truncated: boolean) => void messages.push(`active ${cursor} ${truncated}`),
        event: async ({ data }: { readonly data: { readonly [key: string]: unknown } }) =>
          void messages.push(`event ${String(data["task_id"])}`),
        heartbeat: async (cursor: string) => void messages.push(`heartbeat ${cursor}`),
      };
      const ended = events.follow("alice", request, sink, leaving.signal);
      onTestFinished(() => leaving.abort());
      return { messages, leave: () => leaving.abort(), ended };
    },
    /** Every stream has sent its events, and waits. */
    atRest: (streams: number) => until("the streams wait", () => clock.sleeping === streams),
  };
}

test("a stream sends a heartbeat, with its cursor, 20 seconds after its last message", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  const { messages } = follow(EVERYTHING);
  await atRest(1);
  clock.advance(HEARTBEAT_MS - 1);
  await atRest(1);
  expect(messages).toEqual([`active ${cursorOf(0)} false`]);
  clock.advance(1);
  await until("the first heartbeat", () => messages.length === 2);
  await atRest(1);
  await endTask("alice", "t1");
  await until("the event", () => messages.length === 3);
  await atRest(1);
  clock.advance(HEARTBEAT_MS);
  await until("the second heartbeat", () => messages.length === 4);
  expect(messages.slice(1)).toEqual([`heartbeat ${cursorOf(0)}`, "event t1", `heartbeat ${cursorOf(1)}`]);
});

test("events that a stream does not select do not delay its heartbeat", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  const { messages } = follow({ ...EVERYTHING, name: "task_failed" });
  await atRest(1);
  for (const taskId of ["t1", "t2", "t3"]) {
    clock.advance(HEARTBEAT_MS / 2);
    await endTask("alice", taskId);
    await atRest(1);
  }
  await until("a heartbeat", () => messages.length > 1);
  expect(messages).toEqual([`active ${cursorOf(0)} false`, `heartbeat ${cursorOf(1)}`]);
});

test("a stream that has ended leaves no timer and no subscriber, and another stream can open", async () => {
  const state = await setUp();
  const streams = Array.from({ length: STREAMS_MAX }, () => state.follow(EVERYTHING));
  await state.atRest(STREAMS_MAX);
  expect(state.listeners).toBe(STREAMS_MAX);
  await expect(state.follow(EVERYTHING).ended).rejects.toMatchObject({
    kind: "ResourceExhausted",
    data: { limit: "streams", max: STREAMS_MAX },
  });
  for (const { leave } of streams) leave();
  await Promise.all(streams.map(({ ended }) => ended));
  expect([state.clock.sleeping, state.listeners]).toEqual([0, 0]);
  state.follow(EVERYTHING);
  await state.atRest(1);
});

test("the maximum age applies to past events, not to new ones", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  await endTask("alice", "old");
  clock.advance(1000);
  const replaying = follow({ ...EVERYTHING, cursor: cursorOf(0), maxAgeMs: 0 });
  const fromNow = follow({ ...EVERYTHING, maxAgeMs: 0 });
  await atRest(2);
  await endTask("alice", "new");
  await until("both have the event", () => replaying.messages.length === 2 && fromNow.messages.length === 2);
  expect(replaying.messages).toEqual([`active ${cursorOf(0)} true`, "event new"]);
  expect(fromNow.messages).toEqual([`active ${cursorOf(1)} false`, "event new"]);
});

test("a stream with a cursor of another log begins with new events, and says once that events are missing", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  await endTask("alice", "before");
  const { messages } = follow({ ...EVERYTHING, cursor: createEventCursors("another").of(0) });
  await atRest(1);
  await endTask("alice", "after");
  await until("the event", () => messages.length === 2);
  await atRest(1);
  clock.advance(HEARTBEAT_MS);
  await until("the heartbeat", () => messages.length === 3);
  expect(messages).toEqual([`active ${cursorOf(1)} true`, "event after", `heartbeat ${cursorOf(2)}`]);
});
