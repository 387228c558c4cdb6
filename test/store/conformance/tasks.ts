import { beforeEach, describe, expect, test } from "vitest";
import type { Task } from "../../../src/domain/task.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import type { TaskFilter } from "../../../src/service/ports/task-store.ts";
import { T0, aClaim, aRegistration, aStart } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

const PROGRESS = { progress: { done: 1, total: null, message: null }, now: T0, intervalMs: 5000 };

/** What the Store port promises of tasks. Each store runs it. */
export function describeTasks(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete } = createSteps(() => store);

    describe("tasks", () => {
      test("a started task is pending, with the callbacks that wait for it counted", async () => {
        await store.registerCallback(aRegistration());
        const result = await store.startTask(aStart({ input: '{"a":1}' }));
        expect(result).toMatchObject({
          kind: "started",
          callbackCount: 1,
          task: { status: "pending", input: '{"a":1}', runCount: 0 },
        });
        expect(await store.findTask("local", "task-1")).toEqual(result.task);
      });

      test("readTask gives status, result, error and progress, to the task's principal only", async () => {
        await store.startTask(aStart());
        const read = () => store.readTask("local", "task-1");
        expect(await read()).toEqual({ status: "pending", result: null, error: null, progress: null });
        const task = await runningTask();
        const progress = { done: 1, total: 2, message: "half" };
        await store.recordProgress({ id: task.id, runCount: 1, progress, now: T0, intervalMs: 1000 });
        expect(await read()).toEqual({ status: "running", result: null, error: null, progress });
        await complete(task);
        expect(await read()).toEqual({ status: "completed", result: "done", error: null, progress });
        expect(await store.readTask("ann", "task-1")).toBeNull();
        expect(await store.readTask("local", "task-2")).toBeNull();
      });

      test("readTask gives the error of a task that failed", async () => {
        const { id } = await runningTask();
        await store.finishTask({ id, outcome: { status: "failed", error: "no luck" }, now: T0 });
        expect(await store.readTask("local", "task-1")).toMatchObject({
          status: "failed",
          result: null,
          error: "no luck",
        });
      });

      test("a second start finds the first", async () => {
        const first = await store.startTask(aStart());
        const second = await store.startTask(aStart({ clientId: "another", now: T0 + 1 }));
        expect(second).toEqual({ ...first, kind: "existing", isSame: false });
      });

      test("a task that is started without a task_id has its internal id for one, and is never found again by a start", async () => {
        const first = await store.startTask({ ...aStart(), taskId: null });
        const second = await store.startTask({ ...aStart(), taskId: null });
        expect([first, second]).toMatchObject([{ kind: "started" }, { kind: "started" }]);
        expect(first.task.taskId).toBe(first.task.id);
        expect(second.task.id).not.toBe(first.task.id);
        await store.registerCallback(aRegistration({ taskId: first.task.taskId }));
        expect(await store.findTask("local", first.task.id)).toEqual(first.task);
      });

      test("a task is found by its internal id, by its own principal alone", async () => {
        const { task } = await store.startTask(aStart({ principal: "ann" }));
        expect(await store.findTaskById("ann", task.id)).toEqual(task);
        expect(await store.findTaskById("bob", task.id)).toBeNull();
        expect(await store.findTaskById("ann", task.taskId)).toBeNull();
      });

      test("a principal's tasks are listed in pages, the newest first, without what is large", async () => {
        const started = [];
        for (const taskId of ["a", "b", "c"])
          started.push((await store.startTask(aStart({ taskId, principal: "ann" }))).task);
        await store.startTask(aStart({ principal: "bob" }));
        const list = (before: string | null) => store.listTasks({ principal: "ann", before, limit: 2 });
        const ids = started
          .map(({ id }) => id)
          .toSorted()
          .toReversed();
        const first = await list(null);
        expect(first.tasks.map(({ id }) => id)).toEqual(ids.slice(0, 2));
        expect(first.next).toBe(ids[1]);
        const { input: _input, result: _result, ...summary } = started.find(({ id }) => id === ids[0])!;
        expect(first.tasks[0]).toEqual(summary);
        expect((await list(ids[1]!)).tasks.map(({ id }) => id)).toEqual(ids.slice(2));
        expect(await list(ids[2]!)).toEqual({ tasks: [], next: null });
      });

      test("two principals with one task_id never notice each other", async () => {
        await store.registerCallback(aRegistration({ principal: "ann" }));
        await complete(await runningTask("task-1", "bob"));
        expect(await store.findTask("ann", "task-1")).toBeNull();
        expect(await store.deliveryHistory("bob", "task-1")).toEqual([]);
        expect(await store.claimDueDeliveries(aClaim())).toEqual([]);
      });

      test("a start brings its callbacks with it, once", async () => {
        const callbacks = [aRegistration({ clientId: "a" }), aRegistration({ clientId: "b" })];
        const first = await store.startTask({ ...aStart(), callbacks });
        expect(first).toMatchObject({ kind: "started", callbackCount: 2 });
        expect(first.callbacks.map(({ clientId }) => clientId)).toEqual(["a", "b"]);
        const again = await store.startTask({ ...aStart(), callbacks });
        expect(again).toMatchObject({ kind: "existing", isSame: true, callbackCount: 2, callbacks: first.callbacks });
      });

      test("a start with a callback that cannot be registered stores nothing, and other starts of the same commit are stored", async () => {
        await store.registerCallback(aRegistration({ clientId: "b", events: ["task_failed"] }));
        const callbacks = [aRegistration({ clientId: "a" }), aRegistration({ clientId: "b" })];
        const [refused, other] = await Promise.allSettled([
          store.startTask({ ...aStart(), callbacks }),
          store.startTask(aStart({ taskId: "task-2" })),
        ]);
        expect(refused).toMatchObject({ status: "rejected", reason: { index: 1, why: { kind: "conflict" } } });
        expect(other).toMatchObject({ status: "fulfilled", value: { kind: "started" } });
        expect(await store.findTask("local", "task-1")).toBeNull();
        expect(await store.deliveryHistory("local", "task-1")).toHaveLength(1);
      });

      test("another start under the same id changes nothing", async () => {
        await store.startTask(aStart());
        const other = await store.startTask({ ...aStart({ input: "{}" }), callbacks: [aRegistration()] });
        expect(other).toMatchObject({ kind: "existing", isSame: false, callbackCount: 0, callbacks: [] });
      });

      test("claims the oldest pending tasks once, each run counted", async () => {
        for (const [index, taskId] of ["c", "a", "b"].entries())
          await store.startTask(aStart({ taskId, now: T0 + index }));
        const first = await store.claimRunnableTasks({ limit: 2, now: T0 + 9 });
        expect(first.map(({ taskId, status, runCount }) => [taskId, status, runCount])).toEqual([
          ["c", "running", 1],
          ["a", "running", 1],
        ]);
        const rest = await store.claimRunnableTasks({ limit: 9, now: T0 + 9 });
        expect(rest.map(({ taskId }) => taskId)).toEqual(["b"]);
      });

      test("a claim keeps to the room of each type, and a full one keeps no other waiting", async () => {
        for (const [index, taskType] of ["narrow", "narrow", "narrow", "full", "wide"].entries())
          await store.startTask(aStart({ taskId: `t${index}`, taskType, now: T0 + index }));
        const freeSlotsOf = (taskType: string) => ({ narrow: 2, full: 0 })[taskType] ?? null;
        const claimed = await store.claimRunnableTasks({ limit: 9, now: T0 + 9, freeSlotsOf });
        expect(claimed.map(({ taskId }) => taskId)).toEqual(["t0", "t1", "t4"]);
      });

      test("a run that failed is due again at its time, counted, and only while it is under way", async () => {
        const task = await runningTask();
        const retry = { id: task.id, runCount: task.runCount, error: "no", dueAt: T0 + 1000 };
        expect(await store.retryTask(retry)).toBe(true);
        expect(await store.retryTask(retry)).toBe(false);
        expect(await store.findTask("local", "task-1")).toMatchObject({ status: "pending", failures: 1, error: "no" });
        expect(await store.nextTaskDueAt(T0)).toBe(T0 + 1000);
        expect(await store.nextTaskDueAt(T0 + 1000)).toBeNull();
        expect(await store.claimRunnableTasks({ limit: 9, now: T0 + 999 })).toEqual([]);
        expect(await store.claimRunnableTasks({ limit: 9, now: T0 + 1000 })).toMatchObject([{ runCount: 2 }]);
        expect(await store.recordProgress({ ...retry, ...PROGRESS })).toBeNull();
      });

      test("a task that is started for later is due then", async () => {
        await store.startTask(aStart({ startAfter: T0 + 60_000 }));
        expect(await store.claimRunnableTasks({ limit: 9, now: T0 })).toEqual([]);
        expect(await store.nextTaskDueAt(T0)).toBe(T0 + 60_000);
        expect(await store.claimRunnableTasks({ limit: 9, now: T0 + 60_000 })).toHaveLength(1);
      });

      test("tasks are listed by state, type and client, in pages", async () => {
        const starts = [
          { taskId: "a", taskType: "x" },
          { taskId: "b", taskType: "y", clientId: "other" },
          { taskId: "c", taskType: "x", clientId: "other" },
        ];
        for (const [index, start] of starts.entries()) await store.startTask(aStart({ ...start, now: T0 + index }));
        await store.claimRunnableTasks({ limit: 1, now: T0 });
        const list = async (filter: TaskFilter) => {
          const { tasks } = await store.listTasks({ principal: "local", before: null, limit: 9, ...filter });
          return tasks.map(({ taskId }) => taskId).toSorted();
        };
        expect(await list({ status: "running" })).toEqual(["a"]);
        expect(await list({ status: "pending" })).toEqual(["b", "c"]);
        expect(await list({ taskType: "x" })).toEqual(["a", "c"]);
        expect(await list({ taskType: "x", clientId: "other" })).toEqual(["c"]);
        const first = await store.listTasks({ principal: "local", before: null, limit: 1, clientId: "other" });
        const second = await store.listTasks({ principal: "local", before: first.next, limit: 1, clientId: "other" });
        expect([...first.tasks, ...second.tasks].map(({ taskId }) => taskId).toSorted()).toEqual(["b", "c"]);
        expect(second.next).toBeNull();
      });

      test("tasks that were asked for as MCP tasks are listed apart, also those that became one with a later start", async () => {
        const start = async (taskId: string, isMcpTask: boolean, changes: object = {}) =>
          (await store.startTask({ ...aStart({ taskId, ...changes }), isMcpTask })).task.id;
        const plain = await start("plain", false);
        const asked = await start("asked", true);
        const later = await start("later", false);
        await start("later", true);
        // Another start under the same id changes nothing.
        await start("plain", true, { clientId: "other" });
        await start("bob's", true, { principal: "bob" });
        const query = { principal: "local", before: null, onlyMcpTasks: true };
        const idsOf = async (more: object = {}) =>
          (await store.listTasks({ ...query, limit: 9, ...more })).tasks.map(({ id }) => id);
        const newestFirst = [asked, later].toSorted().toReversed();
        expect(await idsOf()).toEqual(newestFirst);
        const first = await store.listTasks({ ...query, limit: 1 });
        expect(await idsOf({ before: first.next })).toEqual(newestFirst.slice(1));
        // A second start that asks for no MCP task does not undo it.
        await start("asked", false);
        await store.claimRunnableTasks({ limit: 9, now: T0 });
        expect(await idsOf({ status: "running" })).toEqual(newestFirst);
        expect(await idsOf({ status: "pending" })).toEqual([]);
        expect(
          (await store.listTasks({ ...query, onlyMcpTasks: false, limit: 9 })).tasks.map(({ id }) => id),
        ).toContain(plain);
      });

      test("finishing writes the task, the event and one delivery for each callback that selected it", async () => {
        await store.registerCallback(aRegistration({ clientId: "all" }));
        await store.registerCallback(aRegistration({ clientId: "failures", events: ["task_failed"] }));
        const result = await complete(await runningTask(), T0 + 7);
        expect(result).toMatchObject({
          deliveryCount: 1,
          event: {
            type: "task_completed",
            occurredAt: T0 + 7,
            data: { task_id: "task-1", started_by: "starter", sequence: 1, result: "done" },
          },
        });
        expect(await store.findTask("local", "task-1")).toMatchObject({
          status: "completed",
          result: "done",
          finishedAt: T0 + 7,
        });
      });

      test("a failed task has its error and no result", async () => {
        const task = await runningTask();
        const result = await store.finishTask({
          id: task.id,
          outcome: { status: "failed", error: "no disk" },
          now: T0,
        });
        expect(result?.event).toMatchObject({ type: "task_failed", data: { status: "failed", error: "no disk" } });
        expect(await store.findTask("local", "task-1")).toMatchObject({
          status: "failed",
          error: "no disk",
          result: null,
        });
      });

      test("a task ends once", async () => {
        await store.registerCallback(aRegistration());
        const task = await runningTask();
        await complete(task);
        expect(
          await store.finishTask({ id: task.id, outcome: { status: "failed", error: "late" }, now: T0 }),
        ).toBeNull();
        expect(await store.findTask("local", "task-1")).toMatchObject({ status: "completed" });
        expect((await store.deliveryHistory("local", "task-1"))[0]!.deliveries).toHaveLength(1);
      });
    });

    describe("cancelTask", () => {
      const cancel = (task: Task, now = T0) => store.cancelTask({ id: task.id, error: "not wanted", now });

      test.each(["pending", "running"])("ends a %s task with its event and deliveries", async (status) => {
        await store.registerCallback(aRegistration({ clientId: "all" }));
        await store.registerCallback(aRegistration({ clientId: "completions", events: ["task_completed"] }));
        const { task } = await store.startTask(aStart());
        if (status === "running") await store.claimRunnableTasks({ limit: 1, now: T0 });
        expect(await cancel(task, T0 + 3)).toMatchObject({
          deliveryCount: 1,
          event: { type: "task_cancelled", occurredAt: T0 + 3, data: { status: "cancelled", error: "not wanted" } },
        });
        expect(await store.findTask("local", "task-1")).toMatchObject({
          status: "cancelled",
          error: "not wanted",
          result: null,
          finishedAt: T0 + 3,
        });
        const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 3 }));
        expect(claimed.map(({ callback }) => callback.clientId)).toEqual(["all"]);
        expect(await store.counts()).toMatchObject({ activeTasks: 0, completedTasks: 0 });
      });

      test("a cancelled task is never claimed, and a callback registered later learns of its end", async () => {
        const { task } = await store.startTask(aStart());
        await cancel(task);
        expect(await store.claimRunnableTasks({ limit: 9, now: T0 })).toEqual([]);
        expect(await store.registerCallback(aRegistration())).toMatchObject({ ended: "task_cancelled" });
      });

      test("what ended first stays: the end of a handler, or the cancelling", async () => {
        const completed = await runningTask("task-1");
        await complete(completed);
        expect(await cancel(completed)).toBeNull();
        const cancelled = await runningTask("task-2");
        await cancel(cancelled);
        expect(await cancel(cancelled)).toBeNull();
        expect(await complete(cancelled)).toBeNull();
        expect(await store.findTask("local", "task-1")).toMatchObject({ status: "completed" });
        expect(await store.findTask("local", "task-2")).toMatchObject({ status: "cancelled" });
      });
    });
  });
}
