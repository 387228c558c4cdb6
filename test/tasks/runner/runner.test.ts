import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { TelemetryEvent } from "../../../src/service/ports/telemetry.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import type { TaskType } from "../../../src/service/ports/task-types.ts";
import { createDemoTask } from "../../../src/tasks/builtin/demo.ts";
import { createTaskRegistry } from "../../../src/tasks/runner/registry.ts";
import { TaskRunner } from "../../../src/tasks/runner/runner.ts";
import { NO_WATCHDOG } from "../../../src/tasks/runner/watchdog.ts";
import { aReservation, aTaskContext, aTaskType } from "../../support/builders.ts";
import { createFakeClock } from "../../support/clock.ts";
import { newFile, openTestStorage } from "../../support/sqlite-store.ts";
import { createTestTasks } from "../../support/tasks.ts";
import { until } from "../../support/until.ts";

async function setUp(
  run: TaskType["run"],
  more: readonly TaskType[] = [],
  claimsOf: (store: Store) => Store = (store) => store,
) {
  const clock = createFakeClock();
  const announcements: TelemetryEvent[] = [];
  const emit = (one: TelemetryEvent) => void announcements.push(one);
  const catalog = createTaskRegistry([aTaskType({ run }), ...more]);
  const file = await newFile();
  const storage = await openTestStorage({ clock, emit }, file);
  const { store, queues, notifier } = storage;
  const reservations: ReturnType<typeof aReservation>[] = [];
  const openReservation = () => {
    const reservation = aReservation(1);
    reservations.push(reservation);
    return reservation;
  };
  const { tasks, progress } = createTestTasks({ storage, clock, catalog, emit, openReservation });
  const runner = new TaskRunner({
    store: claimsOf(store),
    tasks,
    progress,
    catalog,
    runningMax: 1000,
    watchdog: NO_WATCHDOG,
    concurrencyOf: (taskType) => more.find(({ name }) => name === taskType)?.concurrency ?? null,
    queue: queues.tasks,
    notifier,
    clock,
    emit,
  });
  runner.start();
  onTestFinished(async () => {
    await runner.stop();
    await store.close();
  });
  const start = (taskId: string, input?: { readonly [key: string]: string }) =>
    tasks.start("local", { taskId, clientId: "c", input });
  const ended = (taskId: string) =>
    until(`the end of ${taskId}`, async () => {
      const task = await tasks.find("local", taskId);
      return ["completed", "failed"].includes(task.status) ? task : null;
    });
  return { clock, store, file, runner, tasks, start, ended, announcements, reservations };
}

test("a task whose stored input cannot be read fails at once and says so, and the others run", async () => {
  const { start, ended, file, announcements } = await setUp(async () => "done");
  await start("bad", { a: "b" });
  await start("good");
  await ended("bad");
  const other = new Database(file);
  other.exec("update tasks set status = 'pending', result = null, run_count = 0");
  other.exec("delete from deliveries; delete from events; update tasks set input = '{' where task_id = 'bad'");
  other.close();
  await start("wake");
  expect(await ended("bad")).toMatchObject({
    status: "failed",
    error: "The stored input of this task cannot be read.",
    runCount: 1,
  });
  expect(await ended("good")).toMatchObject({ status: "completed" });
  expect(announcements).toContainEqual(expect.objectContaining({ kind: "internal.failed", where: "task bad" }));
});

test("a started task is run with its input and ends with its result; the slots that its end reserved are used and released", async () => {
  const { start, ended, reservations, announcements } = await setUp(async (input, { taskId }) => ({
    echo: input,
    taskId,
  }));
  await start("t1", { a: "b" });
  expect(await ended("t1")).toMatchObject({
    status: "completed",
    result: { echo: { a: "b" }, taskId: "t1" },
    runCount: 1,
  });
  await until("its slots are released", () => reservations[0]?.calls.length === 2);
  expect(reservations).toHaveLength(1);
  expect(reservations[0]!.calls).toEqual([["committed"], ["release"]]);
  expect(announcements.map(({ kind }) => kind)).toContain("task.finished");
});

test.each([
  ["throws", async () => Promise.reject(new Error("no disk")), "no disk"],
  [
    "throws at once",
    () => {
      throw new Error("not even a promise");
    },
    "not even a promise",
  ],
  ["throws something that is no error", async () => Promise.reject(Symbol("odd")), "without a message"],
  ["returns what JSON cannot express", async () => 10n, "JSON cannot express"],
  ["returns too much", async () => "x".repeat(300_000), "over the limit"],
] satisfies [string, TaskType["run"], string][])(
  "a handler that %s fails its task, and the runner goes on",
  async (_, run, message) => {
    const fine = aTaskType({ name: "fine" });
    const { start, ended, tasks } = await setUp(run, [fine]);
    await start("t1");
    expect(await ended("t1")).toMatchObject({
      status: "failed",
      error: expect.stringContaining(message),
      result: null,
    });
    await tasks.start("local", { taskId: "t2", clientId: "c", taskType: "fine" });
    expect(await ended("t2")).toMatchObject({ status: "completed" });
  },
);

test("a stop interrupts the handler, also one that ignores its signal, and the task does not fail", async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  const { start, runner, tasks } = await setUp((_, { signal }) => {
    begun.resolve(signal);
    return new Promise(() => {});
  });
  await start("t1");
  const signal = await begun.promise;
  await runner.stop();
  expect(signal.aborted).toBe(true);
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "pending", crashes: 0, error: null });
});

test("the signal of a handler that has returned stays quiet at the end of its task", async () => {
  let aborts = 0;
  const { start, tasks } = await setUp(async (_, { signal }) => {
    signal.addEventListener("abort", () => aborts++);
    return "done";
  });
  await start("t1");
  await until("the task has ended", async () => (await tasks.find("local", "t1")).status === "completed");
  await start("t2");
  await until("the next task has ended", async () => (await tasks.find("local", "t2")).status === "completed");
  expect(aborts).toBe(0);
});

test("cancelling interrupts the handler; one that ignores its signal holds up nothing, and its result is dropped", async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  const late = Promise.withResolvers<string>();
  const fine = aTaskType({ name: "fine" });
  const { start, runner, tasks, ended, announcements } = await setUp(
    (_, { signal }) => {
      begun.resolve(signal);
      return late.promise;
    },
    [fine],
  );
  await start("t1");
  const signal = await begun.promise;
  expect(await tasks.cancel("local", "t1")).toMatchObject({ kind: "cancelled" });
  expect(signal.aborted).toBe(true);
  late.resolve("too late");
  await tasks.start("local", { taskId: "t2", clientId: "c", taskType: "fine" });
  await ended("t2");
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "cancelled", result: null });
  await runner.stop();
  expect(announcements.map(({ kind }) => kind)).not.toContain("internal.failed");
});

test("a handler that ends while its task is cancelled does not end the task again", async () => {
  const begun = Promise.withResolvers<void>();
  const { start, tasks, announcements } = await setUp((_, { signal }) => {
    begun.resolve();
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve("done after all")));
  });
  await start("t1");
  await begun.promise;
  await tasks.cancel("local", "t1");
  expect(await tasks.cancel("local", "t1")).toMatchObject({ kind: "ended", status: "cancelled" });
  expect(announcements.filter(({ kind }) => kind === "task.finished")).toHaveLength(1);
});

test("a task that is cancelled during its claim is not started", async () => {
  const run: string[] = [];
  const claimed = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  // A store with slow answers, e.g. behind a network.
  const slowly = (store: Store) => ({
    ...store,
    async claimRunnableTasks(command: Parameters<Store["claimRunnableTasks"]>[0]) {
      const tasks = await store.claimRunnableTasks(command);
      if (tasks.length > 0) claimed.resolve();
      if (tasks.length > 0) await cancelled.promise;
      return tasks;
    },
  });
  const { start, tasks, ended } = await setUp(async (_, { taskId }) => run.push(taskId), [], slowly);
  await start("t1");
  await claimed.promise;
  await tasks.cancel("local", "t1");
  cancelled.resolve();
  await start("t2");
  await ended("t2");
  expect(run).toEqual(["t2"]);
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "cancelled" });
});

test("a task whose type is no longer offered fails with that reason", async () => {
  const { store, ended, clock, start } = await setUp(async () => "ok");
  const request = { clientId: "c", taskType: "gone", executor: "handler", input: null, startAfter: null } as const;
  await store.startTask({ principal: "local", taskId: "t1", request, now: clock.now() });
  await start("t2");
  expect(await ended("t1")).toMatchObject({
    status: "failed",
    error: "This server no longer offers the task type gone.",
  });
  expect(await ended("t2")).toMatchObject({ status: "completed" });
});

test("the demo works for its time, returns its result, and fails on request", async () => {
  const clock = createFakeClock();
  const demo = createDemoTask({ clock, workMs: 10_000 });
  const result = demo.run(null, aTaskContext({ taskId: "demo_task_123" }));
  clock.advance(10_000);
  expect(await result).toBe("Task demo_task_123 completed successfully with data: [processed_data_123]");
  const failing = demo.run({ fail: "as asked" }, aTaskContext());
  clock.advance(10_000);
  await expect(failing).rejects.toThrow("as asked");
  expect(demo.expectedMs).toBe(10_000);
});
