import { expect, onTestFinished, test } from "vitest";
import type { TelemetryEvent } from "../../../src/service/ports/telemetry.ts";
import type { TaskType } from "../../../src/service/ports/task-types.ts";
import { PermanentError } from "../../../src/service/ports/task-types.ts";
import { createTaskRegistry } from "../../../src/tasks/runner/registry.ts";
import { TaskRunner } from "../../../src/tasks/runner/runner.ts";
import { NO_WATCHDOG } from "../../../src/tasks/runner/watchdog.ts";
import { aTaskType } from "../../support/builders.ts";
import { createFakeClock } from "../../support/clock.ts";
import { openTestStorage } from "../../support/sqlite-store.ts";
import { createTestTasks } from "../../support/tasks.ts";
import { until } from "../../support/until.ts";

async function setUp(types: readonly TaskType[], runningMax = 100) {
  const clock = createFakeClock();
  const announced: TelemetryEvent[] = [];
  const emit = (one: TelemetryEvent) => void announced.push(one);
  const catalog = createTaskRegistry(types);
  const storage = await openTestStorage({ clock, emit });
  const { store, queues, notifier } = storage;
  const { tasks, progress } = createTestTasks({ storage, clock, catalog, emit });
  const concurrencyOf = (taskType: string) => types.find(({ name }) => name === taskType)?.concurrency ?? null;
  const runner = new TaskRunner({
    store,
    tasks,
    progress,
    catalog,
    watchdog: NO_WATCHDOG,
    runningMax,
    concurrencyOf,
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
  const start = (taskId: string, taskType = "demo", startAfter?: number) =>
    tasks.start("local", { taskId, clientId: "c", taskType, startAfter });
  const find = (taskId: string) => tasks.find("local", taskId);
  const untilStatus = (taskId: string, status: string, runCount?: number) =>
    until(`${taskId} is ${status}`, async () => {
      const task = await find(taskId);
      return task.status === status && (runCount ?? task.runCount) === task.runCount ? task : null;
    });
  return { clock, runner, tasks, start, find, untilStatus, announced };
}

const aGate = () => Promise.withResolvers<void>();

test("a failed run is retried after growing waits, and the last failure ends the task", async () => {
  let runs = 0;
  const run = async () => Promise.reject(new Error(`failure ${++runs}`));
  const { clock, start, untilStatus } = await setUp([aTaskType({ retries: 2, run })]);
  await start("t");
  const first = await untilStatus("t", "pending", 1);
  expect(first).toMatchObject({ error: "failure 1", failures: 1, dueAt: clock.now() + 1000 });
  clock.advance(1000);
  const second = await untilStatus("t", "pending", 2);
  expect(second).toMatchObject({ error: "failure 2", dueAt: clock.now() + 2000 });
  clock.advance(2000);
  expect(await untilStatus("t", "failed")).toMatchObject({ runCount: 3, error: "failure 3" });
});

test("a success after a failure leaves no error", async () => {
  const run: TaskType["run"] = async (_, { attempt }) => (attempt === 1 ? Promise.reject(new Error("once")) : "fine");
  const { clock, start, untilStatus } = await setUp([aTaskType({ retries: 1, run })]);
  await start("t");
  await untilStatus("t", "pending", 1);
  clock.advance(1000);
  expect(await untilStatus("t", "completed")).toMatchObject({ result: "fine", error: null });
});

test("a PermanentError, of whichever copy of the class, is not retried", async () => {
  class Other extends Error {
    override readonly name = "PermanentError";
  }
  const types = [PermanentError, Other].map((Kind, index) =>
    aTaskType({ name: `kind-${index}`, retries: 5, run: async () => Promise.reject(new Kind("no use")) }),
  );
  const { start, untilStatus } = await setUp(types);
  for (const { name } of types) {
    await start(name, name);
    expect(await untilStatus(name, "failed")).toMatchObject({ runCount: 1, error: "no use" });
  }
});

test("a result that the output schema refuses fails the task without a retry", async () => {
  const parseOutput = (): never => {
    throw new PermanentError("The result does not fit the output schema: result.bytes: no number.");
  };
  const { start, untilStatus } = await setUp([aTaskType({ retries: 5, parseOutput })]);
  await start("t");
  expect(await untilStatus("t", "failed")).toMatchObject({
    runCount: 1,
    error: expect.stringContaining("output schema"),
  });
});

test("a task that waits for its next run can be cancelled, and is not run again", async () => {
  let runs = 0;
  const run = async () => {
    runs++;
    throw new Error("no");
  };
  const { clock, start, tasks, find, untilStatus } = await setUp([
    aTaskType({ retries: 5, run }),
    aTaskType({ name: "fine" }),
  ]);
  await start("t");
  await untilStatus("t", "pending", 1);
  await tasks.cancel("local", "t");
  clock.advance(600_000);
  await start("t2", "fine");
  await untilStatus("t2", "completed");
  expect([runs, (await find("t")).status]).toEqual([1, "cancelled"]);
});

test("a run that exceeds its timeout is aborted and has failed, also when it ignores its signal", async () => {
  const signals: AbortSignal[] = [];
  const run: TaskType["run"] = (_, { signal }) => {
    signals.push(signal);
    return new Promise(() => {});
  };
  const { clock, start, untilStatus } = await setUp([aTaskType({ timeoutMs: 500, retries: 0, run })]);
  await start("t");
  await until("it runs", () => signals.length === 1);
  clock.advance(500);
  expect(await untilStatus("t", "failed")).toMatchObject({ error: "The run took longer than 500 ms." });
  expect(signals[0]?.aborted).toBe(true);
});

test("the limit of a type holds up no other type", async () => {
  const gate = Promise.withResolvers<string>();
  const narrow = aTaskType({ name: "narrow", concurrency: 1, run: () => gate.promise });
  const { start, find, untilStatus } = await setUp([narrow, aTaskType({ name: "wide" })]);
  await start("n1", "narrow");
  await start("n2", "narrow");
  await start("w", "wide");
  await untilStatus("w", "completed");
  expect([(await find("n1")).status, (await find("n2")).status]).toEqual(["running", "pending"]);
  gate.resolve("open");
  await untilStatus("n2", "completed");
});

test("a task with start_after starts at that time", async () => {
  const { clock, start, find, untilStatus } = await setUp([aTaskType()]);
  await start("late", "demo", clock.now() + 60_000);
  await start("now");
  await untilStatus("now", "completed");
  expect((await find("late")).status).toBe("pending");
  clock.advance(60_000);
  await untilStatus("late", "completed");
});

test("of a flood of progress the newest is recorded once a second, and the last in any case", async () => {
  const [begin, second, end] = [aGate(), aGate(), aGate()];
  const run: TaskType["run"] = async (_, { progress }) => {
    await begin.promise;
    for (let done = 0; done < 50_000; done++) progress(done, 100_000, "on it");
    await second.promise;
    for (let done = 50_000; done < 100_000; done++) progress(done, 100_000, "on it");
    await end.promise;
    progress(100_000, 100_000, "done");
  };
  const { clock, start, find, tasks, untilStatus } = await setUp([aTaskType({ run })]);
  const reported: number[] = [];
  const { task } = await start("t");
  tasks.onProgress(task, ({ done }) => reported.push(done));
  const isKept = (done: number) =>
    until(`${done} is kept`, async () => (await find("t")).progress?.done === done && clock.sleeping === 2);
  begin.resolve();
  await isKept(0);
  second.resolve();
  clock.advance(1000);
  await isKept(99_999);
  end.resolve();
  expect(await untilStatus("t", "completed")).toMatchObject({
    progress: { done: 100_000, total: 100_000, message: "done" },
  });
  expect(reported).toEqual([0, 99_999, 100_000]);
});

test("a handler that goes on after its task was cancelled reports no progress", async () => {
  const leak = Promise.withResolvers<() => void>();
  const run: TaskType["run"] = (_, { progress }) => {
    leak.resolve(() => progress(1, 1, "still here"));
    return new Promise(() => {});
  };
  const { start, tasks, find } = await setUp([aTaskType({ run })]);
  await start("t");
  const goOn = await leak.promise;
  await tasks.cancel("local", "t");
  goOn();
  expect(await find("t")).toMatchObject({ status: "cancelled", progress: null });
});

test("a stop lets running tasks end within the grace, starts no more, and leaves the others to the next start", async () => {
  const gate = Promise.withResolvers<string>();
  const begun = Promise.withResolvers<void>();
  const endless = (): Promise<never> => {
    begun.resolve();
    return new Promise(() => {});
  };
  const types = [aTaskType({ run: () => gate.promise }), aTaskType({ name: "endless", run: endless })];
  const { clock, runner, start, find, untilStatus } = await setUp(types);
  await start("quick");
  await start("slow", "endless");
  await begun.promise;
  const stopped = runner.stop(5000);
  gate.resolve("just in time");
  await untilStatus("quick", "completed");
  await until("the grace runs", () => clock.sleeping > 0);
  clock.advance(5000);
  await stopped;
  expect((await find("slow")).status).toBe("pending");
});
