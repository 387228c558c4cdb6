import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { Task } from "../../src/domain/task.ts";
import type { Store } from "../../src/service/ports/store.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createTaskWaits } from "../../src/service/task-waits.ts";
import { aStart, T0 } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStorage } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

/** A running task. `changes`: verbs that the service sees in place of the store's. */
async function setUp(changes: (store: Store) => Partial<Store> = () => ({})) {
  const emitted: TelemetryEvent[] = [];
  const emit = (event: TelemetryEvent): void => void emitted.push(event);
  const { store, notifier } = await openTestStorage({ clock: createFakeClock(T0), emit });
  onTestFinished(() => store.close());
  const waits = createTaskWaits({ store: { ...store, ...changes(store) }, notifier, emit });
  await store.startTask(aStart());
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  const report = (done: number) => {
    const progress = { done, total: 10, message: null };
    return store.recordProgress({ ...runOf(task!), progress, now: T0, intervalMs: 0 });
  };
  const end = () => store.finishTask({ id: task!.id, outcome: { status: "completed", result: 1 }, now: T0 });
  return { waits, task: task!, report, end, emitted };
}

function runOf({ id, runCount }: Task) {
  return { id, runCount };
}

test("the end of a task ends the wait, also when it comes first", async () => {
  const { waits, task, end } = await setUp();
  const waiting = waits.untilEnded(task, new AbortController().signal);
  await end();
  expect(await waiting).toMatchObject({ status: "completed", result: 1 });
  expect(await waits.untilEnded(task, new AbortController().signal)).toMatchObject({ status: "completed" });
});

test("an abort ends the wait with the task as it is", async () => {
  const { waits, task } = await setUp();
  const over = new AbortController();
  const waiting = waits.untilEnded(task, over.signal);
  over.abort("over");
  expect(await waiting).toMatchObject({ status: "running" });
});

test("a subscriber gets the newest progress after each change, and none after its subscription has ended", async () => {
  const { waits, task, report } = await setUp();
  const seen: number[] = [];
  const unsubscribe = waits.onProgress(task, ({ done }) => seen.push(done));
  await report(1);
  await report(2);
  await until("both are seen", () => seen.length === 2);
  unsubscribe();
  await report(3);
  await nextTurn();
  expect(seen).toEqual([1, 2]);
});

test("changes during a read are one further read", async () => {
  const gate = Promise.withResolvers<void>();
  let reads = 0;
  const { waits, task, report } = await setUp((store) => ({
    async readTask(principal, taskId) {
      if (++reads === 1) await gate.promise;
      return store.readTask(principal, taskId);
    },
  }));
  const seen: number[] = [];
  waits.onProgress(task, ({ done }) => seen.push(done));
  for (const done of [1, 2, 3]) await report(done);
  gate.resolve();
  await until("the newest is seen", () => seen.length === 2);
  expect([seen, reads]).toEqual([[3, 3], 2]);
});

test("a read that fails is reported, and the next change is seen", async () => {
  let reads = 0;
  const { waits, task, report, emitted } = await setUp((store) => ({
    readTask: (principal, taskId) =>
      ++reads === 1 ? Promise.reject(new Error("no disk")) : store.readTask(principal, taskId),
  }));
  const seen: number[] = [];
  waits.onProgress(task, ({ done }) => seen.push(done));
  await report(1);
  await until("the failure is reported", () => emitted.length === 1);
  expect(emitted).toMatchObject([{ kind: "internal.failed", where: "progress of task task-1" }]);
  await report(2);
  await until("the next change is seen", () => seen.length === 1);
  expect(seen).toEqual([2]);
});
