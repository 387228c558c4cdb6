import { expect, onTestFinished, test } from "vitest";
import { EVENT_TYPES } from "../../src/domain/event.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { createTaskProgress } from "../../src/service/task-progress.ts";
import { aRegistration, aStart, PROGRESS_INTERVAL_MS } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStorage } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

async function setUp(changes: (store: Store) => Partial<Store> = () => ({})) {
  const clock = createFakeClock();
  const emitted: TelemetryEvent[] = [];
  const emit = (event: TelemetryEvent): void => void emitted.push(event);
  const { store: opened, notifier } = await openTestStorage({ clock, emit });
  const store = { ...opened, ...changes(opened) };
  onTestFinished(() => opened.close());
  const progress = createTaskProgress({ store, clock, notifier, emit, intervalMs: PROGRESS_INTERVAL_MS });
  await store.registerCallback(aRegistration({ events: EVENT_TYPES, now: clock.now() }));
  await store.startTask(aStart({ now: clock.now() }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now: clock.now() });
  /** The events of the callback's deliveries, with the status of each delivery. */
  async function events(): Promise<readonly string[]> {
    const [callback] = await store.deliveryHistory("local", "task-1");
    return callback!.deliveries.map(({ event, status }) => `${event} ${status}`);
  }
  return {
    clock,
    progress,
    emitted,
    events,
    report: (done: number) => progress.record(task!, { done, total: 100, message: null }),
    async end() {
      const outcome = { status: "completed", result: null } as const;
      await store.finishTask({ id: task!.id, outcome, now: clock.now() });
    },
    kept: async () => (await store.findTask("local", "task-1"))!.progress?.done,
  };
}

test("a hundred reports in a second are two events: the first at once, and the newest after the interval", async () => {
  const { clock, report, events, kept } = await setUp();
  for (let done = 1; done <= 100; done++) {
    await report(done);
    clock.advance(10);
  }
  expect(await events()).toEqual(["task_progress pending"]);
  expect([await kept(), clock.sleeping]).toEqual([100, 1]);
  clock.advance(PROGRESS_INTERVAL_MS - 1000);
  await until("the newest is an event", async () => (await events()).length === 2);
  expect(await events()).toEqual(["task_progress cancelled", "task_progress pending"]);
  await until("nothing waits", () => clock.sleeping === 0);
});

test("after the end no run waits, and no event follows", async () => {
  const { clock, report, events, end } = await setUp();
  await report(1);
  await report(2);
  expect(clock.sleeping).toBe(1);
  await end();
  expect(clock.sleeping).toBe(0);
  await report(3);
  expect(await events()).toEqual(["task_progress cancelled", "task_completed pending"]);
});

test("a report after the interval is an event at once, and no run waits", async () => {
  const { clock, report, events } = await setUp();
  await report(1);
  clock.advance(PROGRESS_INTERVAL_MS);
  await report(2);
  expect(await events()).toEqual(["task_progress cancelled", "task_progress pending"]);
  expect(clock.sleeping).toBe(0);
});

test("no run waits after a stop", async () => {
  const { clock, progress, report, events } = await setUp();
  await report(1);
  await report(2);
  progress.stop();
  expect(clock.sleeping).toBe(0);
  await report(3);
  expect(clock.sleeping).toBe(0);
  expect(await events()).toEqual(["task_progress pending"]);
});

test("a failure of the store is emitted, and the next report is an event", async () => {
  const emitProgressEvent = () => Promise.reject(new Error("disk full"));
  const { clock, report, events, emitted } = await setUp(() => ({ emitProgressEvent }));
  await report(1);
  await report(2);
  clock.advance(PROGRESS_INTERVAL_MS);
  await until("it is emitted", () => emitted.length === 1);
  expect(emitted).toMatchObject([{ kind: "internal.failed", where: "emitProgressEvent" }]);
  await report(3);
  expect(await events()).toEqual(["task_progress cancelled", "task_progress pending"]);
});
