/** `events/stream` below the wire: with a clock of the test's own, since its heartbeat is 20 seconds. */
import { expect, onTestFinished, test } from "vitest";
import { createEventCursors } from "../../src/domain/event-cursor.ts";
import { createEventFeed } from "../../src/service/event-feed.ts";
import { createEvents } from "../../src/service/events.ts";
import type { EventsRequest } from "../../src/service/events.ts";
import { createTaskRegistry } from "../../src/tasks/runner/registry.ts";
import { aReservation, aTaskProgress, aTaskType } from "../support/builders.ts";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { createTasks } from "../../src/service/tasks.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

const HEARTBEAT_MS = 20_000;
const STREAMS_MAX = 512;
const EVERYTHING: EventsRequest = { name: "task_finished", taskId: null, cursor: null, maxAgeMs: null };

async function setUp() {
  const store = await openTestStore();
  onTestFinished(() => store.close());
  const clock = createFakeClock();
  const feed = createEventFeed();
  let listeners = 0;
  const countingFeed = {
    listen(listener: Parameters<typeof feed.listen>[0]) {
      const end = feed.listen(listener);
      listeners++;
      return () => {
        listeners--;
        end();
      };
    },
  };
  const events = createEvents({ store, clock, feed: countingFeed });
  const cursorOf = createEventCursors(await store.eventLog()).of;
  const silence = {
    emit: () => {},
    openReservation: () => aReservation(0),
  };
  const catalog = createTaskRegistry([aTaskType({ expectedMs: 0 })]);
  const tasks = createTasks({
    store,
    clock,
    feed,
    progress: aTaskProgress({ store, clock, feed }),
    catalog,
    targetPolicy: createAddressGuard({ allow: "loopback" }),
    ...silence,
  });

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
    /** What a stream of alice's told, in words. */
    follow(request: EventsRequest) {
      const told: string[] = [];
      const leaving = new AbortController();
      const sink = {
        active: async (cursor: string, truncated: boolean) => void told.push(`active ${cursor} ${truncated}`),
        event: async ({ data }: { readonly data: { readonly [key: string]: unknown } }) =>
          void told.push(`event ${String(data["task_id"])}`),
        heartbeat: async (cursor: string) => void told.push(`heartbeat ${cursor}`),
      };
      const ended = events.follow("alice", request, sink, leaving.signal);
      onTestFinished(() => leaving.abort());
      return { told, leave: () => leaving.abort(), ended };
    },
    /** Every stream has told what there is, and waits. */
    atRest: (streams: number) => until("the streams wait", () => clock.sleeping === streams),
  };
}

test("a stream gives a sign of life every 20 seconds in which it tells nothing, with the place it is at", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  const { told } = follow(EVERYTHING);
  await atRest(1);
  clock.advance(HEARTBEAT_MS - 1);
  await atRest(1);
  expect(told).toEqual([`active ${cursorOf(0)} false`]);
  clock.advance(1);
  await until("the first heartbeat", () => told.length === 2);
  await atRest(1);
  await endTask("alice", "t1");
  await until("the event", () => told.length === 3);
  await atRest(1);
  clock.advance(HEARTBEAT_MS);
  await until("the second heartbeat", () => told.length === 4);
  expect(told.slice(1)).toEqual([`heartbeat ${cursorOf(0)}`, "event t1", `heartbeat ${cursorOf(1)}`]);
});

test("events that a stream did not ask for do not keep its sign of life back", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  const { told } = follow({ ...EVERYTHING, name: "task_failed" });
  await atRest(1);
  for (const taskId of ["t1", "t2", "t3"]) {
    clock.advance(HEARTBEAT_MS / 2);
    await endTask("alice", taskId);
    await atRest(1);
  }
  await until("a heartbeat", () => told.length > 1);
  expect(told).toEqual([`active ${cursorOf(0)} false`, `heartbeat ${cursorOf(1)}`]);
});

test("a stream that has ended leaves nothing behind: no timer, no listener, and its place is free", async () => {
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

test("how old an event may be is said of what is replayed, not of what comes", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  await endTask("alice", "old");
  clock.advance(1000);
  const replaying = follow({ ...EVERYTHING, cursor: cursorOf(0), maxAgeMs: 0 });
  const fromNow = follow({ ...EVERYTHING, maxAgeMs: 0 });
  await atRest(2);
  await endTask("alice", "new");
  await until("both have the event", () => replaying.told.length === 2 && fromNow.told.length === 2);
  expect(replaying.told).toEqual([`active ${cursorOf(0)} true`, "event new"]);
  expect(fromNow.told).toEqual([`active ${cursorOf(1)} false`, "event new"]);
});

test("a stream with a cursor of another log goes on from now, and says once that something is lost", async () => {
  const { clock, cursorOf, endTask, follow, atRest } = await setUp();
  await endTask("alice", "before");
  const { told } = follow({ ...EVERYTHING, cursor: createEventCursors("another").of(0) });
  await atRest(1);
  await endTask("alice", "after");
  await until("the event", () => told.length === 2);
  await atRest(1);
  clock.advance(HEARTBEAT_MS);
  await until("the heartbeat", () => told.length === 3);
  expect(told).toEqual([`active ${cursorOf(1)} true`, "event after", `heartbeat ${cursorOf(2)}`]);
});
