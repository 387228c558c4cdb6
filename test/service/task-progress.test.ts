import { expect, onTestFinished, test } from "vitest";
import { EVENT_TYPES } from "../../src/domain/event.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createEventFeed } from "../../src/service/event-feed.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { aRegistration, aStart, aTaskProgress, PROGRESS_INTERVAL_MS } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

async function setUp(changes: (store: Store) => Partial<Store> = () => ({})) {
  const clock = createFakeClock();
  const opened = await openTestStore();
  const store = { ...opened, ...changes(opened) };
  onTestFinished(() => opened.close());
  const feed = createEventFeed();
  const announced: TelemetryEvent[] = [];
  const progress = aTaskProgress({
    store,
    clock,
    feed,
    emit: (one) => void announced.push(one),
  });
  await store.registerCallback(aRegistration({ events: EVENT_TYPES, now: clock.now() }));
  await store.startTask(aStart({ now: clock.now() }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now: clock.now() });
  /** What the events so far have told. */
  async function told(): Promise<readonly string[]> {
    const [callback] = await store.deliveryHistory("local", "task-1");
    return callback!.deliveries.map(({ event, status }) => `${event} ${status}`);
  }
  return {
    clock,
    progress,
    announced,
    told,
    report: (done: number) => progress.record(task!, { done, total: 100, message: null }),
    async end() {
      const outcome = { status: "completed", result: null } as const;
      const finished = await store.finishTask({ id: task!.id, outcome, now: clock.now() });
      feed.publish({ principal: "local", task: task!.id, event: finished!.event });
    },
    kept: async () => (await store.findTask("local", "task-1"))!.progress?.done,
  };
}

test("a hundred reports in a second are two events: the first at once, and the newest after the interval", async () => {
  const { clock, report, told, kept } = await setUp();
  for (let done = 1; done <= 100; done++) {
    await report(done);
    clock.advance(10);
  }
  expect(await told()).toEqual(["task_progress pending"]);
  expect([await kept(), clock.sleeping]).toEqual([100, 1]);
  clock.advance(PROGRESS_INTERVAL_MS - 1000);
  await until("the newest is told", async () => (await told()).length === 2);
  expect(await told()).toEqual(["task_progress cancelled", "task_progress pending"]);
  await until("nothing waits", () => clock.sleeping === 0);
});

test("the end leaves nothing that waits, and nothing is told after it", async () => {
  const { clock, report, told, end } = await setUp();
  await report(1);
  await report(2);
  expect(clock.sleeping).toBe(1);
  await end();
  expect(clock.sleeping).toBe(0);
  await report(3);
  expect(await told()).toEqual(["task_progress cancelled", "task_completed pending"]);
});

test("a report after the interval is told at once, and nothing waits for the time of an older one", async () => {
  const { clock, report, told } = await setUp();
  await report(1);
  clock.advance(PROGRESS_INTERVAL_MS);
  await report(2);
  expect(await told()).toEqual(["task_progress cancelled", "task_progress pending"]);
  expect(clock.sleeping).toBe(0);
});

test("nothing waits after a stop", async () => {
  const { clock, progress, report, told } = await setUp();
  await report(1);
  await report(2);
  progress.stop();
  expect(clock.sleeping).toBe(0);
  await report(3);
  expect(clock.sleeping).toBe(0);
  expect(await told()).toEqual(["task_progress pending"]);
});

test("a store that cannot tell what waits is announced, and the next report is told", async () => {
  const emitProgressEvent = () => Promise.reject(new Error("disk full"));
  const { clock, report, told, announced } = await setUp(() => ({ emitProgressEvent }));
  await report(1);
  await report(2);
  clock.advance(PROGRESS_INTERVAL_MS);
  await until("it is announced", () => announced.length === 1);
  expect(announced).toMatchObject([{ kind: "internal.failed", where: "emitProgressEvent" }]);
  await report(3);
  expect(await told()).toEqual(["task_progress cancelled", "task_progress pending"]);
});
