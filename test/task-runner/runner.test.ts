import { expect, onTestFinished, test } from "vitest";
import type { Announcement } from "../../src/service/announcements.ts";
import { createEventFeed } from "../../src/service/event-feed.ts";
import { createTasks } from "../../src/service/tasks.ts";
import { createWorkSource } from "../../src/store/sqlite/work-source.ts";
import { createDemoTask } from "../../src/task-runner/handlers/demo.ts";
import { createTaskRegistry } from "../../src/task-runner/registry.ts";
import type { TaskType } from "../../src/task-runner/registry.ts";
import { TaskRunner } from "../../src/task-runner/runner.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

async function setUp(run: TaskType["run"], more: readonly TaskType[] = []) {
  const clock = createFakeClock();
  const store = await openTestStore();
  const announcements: Announcement[] = [];
  const announce = (one: Announcement) => void announcements.push(one);
  const registry = createTaskRegistry([{ name: "demo", expectedMs: null, run }, ...more]);
  const workSource = createWorkSource({ clock, announce, name: "task runner" });
  let deliveriesWoken = 0;
  const wakes = { wakeRunner: () => workSource.wake(), wakeDispatcher: () => void deliveriesWoken++ };
  const tasks = createTasks({ store, clock, catalog: registry, announce, feed: createEventFeed(), ...wakes });
  const runner = new TaskRunner({ store, tasks, registry, workSource, clock, announce });
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
  return { clock, store, runner, tasks, start, ended, announcements, deliveriesWoken: () => deliveriesWoken };
}

test("a started task is run with its input and ends with its result; the dispatcher is woken", async () => {
  const { start, ended, deliveriesWoken } = await setUp(async (input, { taskId }) => ({ echo: input, taskId }));
  await start("t1", { a: "b" });
  expect(await ended("t1")).toMatchObject({
    status: "completed",
    result: { echo: { a: "b" }, taskId: "t1" },
    runCount: 1,
  });
  expect(deliveriesWoken()).toBe(1);
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
    const fine: TaskType = { name: "fine", expectedMs: null, run: async () => "ok" };
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

test("stopping interrupts the handler, and one that does not heed it too; the task is not failed", async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  const { start, runner, tasks } = await setUp((_, { signal }) => {
    begun.resolve(signal);
    return new Promise(() => {});
  });
  await start("t1");
  const signal = await begun.promise;
  await runner.stop();
  expect(signal.aborted).toBe(true);
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "running", error: null });
});

test("a task whose type is no longer offered fails with a word about it", async () => {
  const { store, ended, clock, start } = await setUp(async () => "ok");
  const request = { clientId: "c", taskType: "gone", input: null };
  await store.startTask({ principal: "local", taskId: "t1", request, now: clock.now() });
  await start("t2");
  expect(await ended("t1")).toMatchObject({
    status: "failed",
    error: "This server no longer offers the task type gone.",
  });
  expect(await ended("t2")).toMatchObject({ status: "completed" });
});

test("the demo works for its time, says what it did, and fails when asked to", async () => {
  const clock = createFakeClock();
  const demo = createDemoTask({ clock, workMs: 10_000 });
  const { signal } = new AbortController();
  const result = demo.run(null, { taskId: "demo_task_123", signal });
  clock.advance(10_000);
  expect(await result).toBe("Task demo_task_123 completed successfully with data: [processed_data_123]");
  const failing = demo.run({ fail: "as asked" }, { taskId: "t", signal });
  clock.advance(10_000);
  await expect(failing).rejects.toThrow("as asked");
  expect(demo.expectedMs).toBe(10_000);
});
