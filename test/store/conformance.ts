import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Callback } from "../../src/domain/callback.ts";
import type { RotateSecret } from "../../src/service/ports/callback-store.ts";
import type { PruneHistory } from "../../src/service/ports/maintenance-store.ts";
import type { ClaimedDelivery, ReserveSlot } from "../../src/service/ports/delivery-store.ts";
import type { Store } from "../../src/service/ports/store.ts";
import type { FinishTaskResult, TaskFilter } from "../../src/service/ports/task-store.ts";
import { CRASHES_MAX } from "../../src/domain/task.ts";
import type { Task } from "../../src/domain/task.ts";
import { A_SECRET, aClaim, aRecord, aRegistration, aStart, FAILED_503, T0 } from "../support/builders.ts";

const PROGRESS = { progress: { done: 1, total: null, message: null }, now: T0, intervalMs: 5000 };

/** Opens an empty store for one test. */
export type OpenStore = () => Promise<Store>;

/** Everything the Store port promises. Each store runs it. */
export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
      onTestFinished(() => store.close());
    });

    async function runningTask(taskId = "task-1", principal = "local"): Promise<Task> {
      await store.startTask(aStart({ taskId, principal }));
      const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
      return task!;
    }

    async function complete(task: Task, now = T0) {
      return store.finishTask({ id: task.id, outcome: { status: "completed", result: "done" }, now });
    }

    /** Of `client-0` and so on; all at once, so that they share one wait for the disk. */
    async function registerMany(count: number, changes: Parameters<typeof aRegistration>[0]): Promise<void> {
      const clientIds = Array.from({ length: count }, (_, index) => `client-${index}`);
      await Promise.all(clientIds.map((clientId) => store.registerCallback(aRegistration({ ...changes, clientId }))));
    }

    async function oneClaimed(): Promise<ClaimedDelivery> {
      await store.registerCallback(aRegistration());
      await complete(await runningTask());
      const [delivery] = await store.claimDueDeliveries(aClaim());
      return delivery!;
    }

    async function onlyDelivery(principal = "local", taskId = "task-1") {
      const [entry] = await store.deliveryHistory(principal, taskId);
      return { callback: entry!.callback, delivery: entry!.deliveries[0]! };
    }

    describe("registerCallback", () => {
      test("adds a callback before its task exists and counts it", async () => {
        const result = await store.registerCallback(aRegistration());
        expect(result).toMatchObject({
          kind: "registered",
          callbackCount: 1,
          ended: null,
          callback: { taskId: "task-1", signingSecret: A_SECRET, status: "active", registeredAt: T0 },
        });
      });

      test("finds the same callback again, its secret unchanged", async () => {
        const first = await store.registerCallback(aRegistration());
        const again = await store.registerCallback({
          ...aRegistration({ now: T0 + 1 }),
          generatedSecret: "whsec_other",
        });
        expect(again).toEqual({ ...first, kind: "existing" });
      });

      test("counts callbacks of other clients and URLs as further ones", async () => {
        await store.registerCallback(aRegistration());
        await store.registerCallback(aRegistration({ clientId: "client-2" }));
        const third = await store.registerCallback(aRegistration({ url: "http://receiver.example/other" }));
        expect(third).toMatchObject({ kind: "registered", callbackCount: 3 });
      });

      test("refuses the same callback with another secret or other events", async () => {
        await store.registerCallback(aRegistration());
        expect(await store.registerCallback(aRegistration({ signingSecret: "whsec_other" }))).toEqual({
          kind: "conflict",
          difference: "secret",
        });
        expect(await store.registerCallback(aRegistration({ events: ["task_failed"] }))).toEqual({
          kind: "conflict",
          difference: "events",
        });
        expect(await store.deliveryHistory("local", "task-1")).toHaveLength(1);
      });

      test("refuses the same callback with another not_after, or with none where there is one", async () => {
        const first = await store.registerCallback(aRegistration({ notAfter: T0 + 1 }));
        expect(first).toMatchObject({ kind: "registered", callback: { notAfter: T0 + 1 } });
        expect(await store.registerCallback(aRegistration({ notAfter: T0 + 1 }))).toMatchObject({ kind: "existing" });
        for (const notAfter of [T0 + 2, null]) {
          const conflict = { kind: "conflict", difference: "not_after" };
          expect(await store.registerCallback(aRegistration({ notAfter }))).toEqual(conflict);
        }
        expect((await store.deliveryHistory("local", "task-1"))[0]!.callback).toMatchObject({ notAfter: T0 + 1 });
      });

      test("adds the delivery at once when the task has ended, and only for an event that was selected", async () => {
        await complete(await runningTask());
        expect(await store.registerCallback(aRegistration({ now: T0 + 5 }))).toMatchObject({ ended: "task_completed" });
        await store.registerCallback(aRegistration({ clientId: "only-failures", events: ["task_failed"] }));
        const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 5 }));
        expect(claimed.map(({ callback }) => callback.clientId)).toEqual(["client-1"]);
      });

      test("makes no second delivery when it is registered again after the end", async () => {
        await store.registerCallback(aRegistration());
        await complete(await runningTask());
        await store.registerCallback(aRegistration());
        expect((await store.deliveryHistory("local", "task-1"))[0]!.deliveries).toHaveLength(1);
      });

      test("refuses the callback after the thousandth", async () => {
        await registerMany(1000, {});
        expect(await store.registerCallback(aRegistration({ clientId: "one-too-many" }))).toEqual({ kind: "limit" });
        expect(await store.registerCallback(aRegistration({ clientId: "client-0" }))).toMatchObject({
          kind: "existing",
        });
      });
    });

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
        const roomOf = (taskType: string) => ({ narrow: 2, full: 0 })[taskType] ?? null;
        const claimed = await store.claimRunnableTasks({ limit: 9, now: T0 + 9, roomOf });
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

    describe("deliveries", () => {
      describe.each(["finishTask", "cancelTask"] as const)("of a task that ends by %s", (verb) => {
        async function end(reserveSlot?: ReserveSlot, id?: string) {
          const task = id ?? (await runningTask()).id;
          const outcome = { status: "completed", result: { of: ["a", 1] } } as const;
          const changes = { id: task, now: T0, ...(reserveSlot && { reserveSlot }) };
          return verb === "finishTask"
            ? store.finishTask({ ...changes, outcome })
            : store.cancelTask({ ...changes, error: "enough" });
        }

        /** This many slots. `origins`: of each slot that was asked for. */
        function slots(count: number) {
          const origins: string[] = [];
          const reserve: ReserveSlot = (origin) => origins.push(origin) <= count;
          return { reserve, origins };
        }

        test("are claimed where a slot can be reserved, exactly as a claim reads them, and are pending where none can", async () => {
          for (const clientId of ["a", "b", "c"]) await store.registerCallback(aRegistration({ clientId }));
          const { reserve, origins } = slots(2);
          const ended = await end(reserve);
          expect(ended).toMatchObject({ deliveryCount: 3, claimed: [expect.anything(), expect.anything()] });
          expect(origins).toEqual(Array.from({ length: 3 }, () => "http://receiver.example"));
          const { claimed } = ended!;
          const [pending, ...others] = await store.claimDueDeliveries(aClaim());
          expect(others).toEqual([]);
          const { deliveryId: _, callback, ...rest } = pending!;
          const { id: _id, clientId: _client, ...target } = callback;
          const same = { ...rest, callback: expect.objectContaining(target) };
          expect(claimed.map((one) => ({ ...one }))).toMatchObject([same, same]);
          const clients = [...claimed, pending!].map((one) => one.callback.clientId);
          expect(clients.toSorted()).toEqual(["a", "b", "c"]);
          // A full claim: it can be recorded, and recoverOrphans finds it.
          expect(await store.recordAttempt(aRecord(claimed[0]!))).toMatchObject({ claimHeld: true });
          expect(await store.recoverOrphans(T0)).toEqual({ tasks: 0, deliveries: 2 });
          expect(await store.recordAttempt(aRecord(claimed[1]!))).toMatchObject({ claimHeld: false });
        });

        test("are pending and due without slots to reserve", async () => {
          await store.registerCallback(aRegistration());
          expect(await end()).toMatchObject({ deliveryCount: 1, claimed: [] });
          expect(await store.claimDueDeliveries(aClaim())).toHaveLength(1);
        });

        test("reserve no slot for a callback that gets nothing", async () => {
          const { id } = await runningTask();
          await store.registerCallback(aRegistration({ clientId: "too-late", notAfter: T0 }));
          await store.registerCallback(aRegistration({ clientId: "other", events: ["task_failed"] }));
          const { reserve, origins } = slots(9);
          expect(await end(reserve, id)).toMatchObject({ deliveryCount: 1, claimed: [] });
          expect(origins).toEqual([]);
        });

        test("are claimed once: a second end reserves no slot", async () => {
          await store.registerCallback(aRegistration());
          const { id } = await runningTask();
          await end(slots(9).reserve, id);
          const { reserve, origins } = slots(9);
          expect(await end(reserve, id)).toBeNull();
          expect(origins).toEqual([]);
        });

        test("take no more slots when their transaction is rolled back for another command and run again", async () => {
          await store.registerCallback(aRegistration());
          const { id } = await runningTask();
          const { reserve, origins } = slots(9);
          const conflicting = aRegistration({ taskId: "task-2" });
          await store.registerCallback(aRegistration({ taskId: "task-2", events: ["task_failed"] }));
          const [ended, refused] = await Promise.allSettled([
            end(reserve, id),
            store.startTask({ ...aStart({ taskId: "task-2" }), callbacks: [conflicting] }),
          ]);
          expect(refused.status).toBe("rejected");
          expect(origins.length).toBeLessThanOrEqual(1);
          const { deliveryCount, claimed } = (ended as PromiseFulfilledResult<FinishTaskResult>).value;
          expect(deliveryCount).toBe(1);
          expect([...claimed, ...(await store.claimDueDeliveries(aClaim()))]).toHaveLength(1);
        });
      });

      test("a claim brings all that an attempt needs", async () => {
        const delivery = await oneClaimed();
        expect(delivery).toMatchObject({
          claim: 1,
          attemptCount: 0,
          origin: "http://receiver.example",
          event: { type: "task_completed", data: { result: "done" } },
          callback: { clientId: "client-1", url: "http://receiver.example/hook", signingSecrets: [A_SECRET] },
        });
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "sending", nextAttemptAt: null });
      });

      test("what is claimed is not claimed again", async () => {
        await oneClaimed();
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1e9 }))).toEqual([]);
      });

      test("a claim keeps to its limit and to what each origin has room for", async () => {
        for (const [index, host] of ["slow", "slow", "slow", "fast", "fast"].entries()) {
          await store.registerCallback(aRegistration({ clientId: `c${index}`, url: `http://${host}.example/` }));
        }
        await complete(await runningTask());
        const claim = aClaim({ perOrigin: 2, roomOf: new Map([["http://slow.example", 1]]) });
        const hosts = (claimed: readonly ClaimedDelivery[]) =>
          claimed.map(({ origin }) => new URL(origin).hostname).toSorted();
        expect(hosts(await store.claimDueDeliveries({ ...claim, limit: 2 }))).toHaveLength(2);
        const rest = await store.claimDueDeliveries({ ...claim, perOrigin: 9, roomOf: new Map() });
        expect(rest).toHaveLength(3);
      });

      test("an origin without free slots does not delay other origins", async () => {
        for (let index = 0; index < 50; index++) {
          await store.registerCallback(aRegistration({ clientId: `c${index}`, url: "http://slow.example/" }));
        }
        await store.registerCallback(aRegistration({ clientId: "last", url: "http://fast.example/" }));
        await complete(await runningTask());
        const claimed = await store.claimDueDeliveries(aClaim({ limit: 10, perOrigin: 2 }));
        expect(claimed.map(({ origin }) => origin).toSorted()).toEqual([
          "http://fast.example",
          "http://slow.example",
          "http://slow.example",
        ]);
      });

      // As many as the other origins have due, and more.
      test.each([2, 10])(
        "an origin without free slots does not hide %i deliveries to other origins, however much of it is due",
        async (limit) => {
          await registerMany(200, { url: "http://dead.example/" });
          await complete(await runningTask());
          for (const [index, host] of ["late", "later"].entries()) {
            const taskId = `task-${host}`;
            await store.registerCallback(aRegistration({ taskId, url: `http://${host}.example/` }));
            await complete(await runningTask(taskId), T0 + 1 + index);
          }
          const roomOf = new Map([["http://dead.example", 0]]);
          const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 9, limit, roomOf }));
          expect(claimed.map(({ origin }) => origin)).toEqual(["http://late.example", "http://later.example"]);
        },
      );

      test("a success is recorded with its attempt and settles the event", async () => {
        const delivery = await oneClaimed();
        expect(await store.recordAttempt(aRecord(delivery))).toEqual({ claimHeld: true, eventSettled: true });
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "delivered",
          attemptCount: 1,
          nextAttemptAt: null,
          attempts: [{ number: 1, startedAt: T0, durationMs: 12, statusCode: 200, error: null }],
        });
      });

      test("an event is settled with its last open delivery", async () => {
        await store.registerCallback(aRegistration({ clientId: "other" }));
        await oneClaimed();
        await store.recoverOrphans(T0);
        const [first, second] = await store.claimDueDeliveries(aClaim());
        expect(await store.recordAttempt(aRecord(first!))).toMatchObject({ eventSettled: false });
        expect(await store.recordAttempt(aRecord(second!))).toMatchObject({ eventSettled: true });
      });

      test("a failure that is parked is due at its time and not before", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 5000,
          attemptCount: 1,
        });
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: false, nextAt: T0 + 5000 });
        expect(await store.nextDeliveryTimes(T0 + 5000)).toEqual({ anyDue: true, nextAt: null });
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 4999 }))).toEqual([]);
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 5000 }))).toMatchObject([
          { attemptCount: 1, claim: 2 },
        ]);
      });

      test("a claim kept over a short wait shows as pending, cannot be claimed, and is resumed", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 100, keepClaim: true } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "pending", nextAttemptAt: T0 + 100 });
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1000 }))).toEqual([]);
        expect(await store.resumeClaim(delivery)).toBe(true);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "sending" });
      });

      test("a void claim cannot resume; its attempt is added, its step is not taken", async () => {
        const old = await oneClaimed();
        await store.recoverOrphans(T0);
        const [current] = await store.claimDueDeliveries(aClaim());
        expect(await store.resumeClaim(old)).toBe(false);
        const step = { status: "exhausted", disablesCallback: false } as const;
        expect(await store.recordAttempt(aRecord(old, { step }))).toEqual({ claimHeld: false, eventSettled: false });
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "sending", attemptCount: 1 });
        await store.recordAttempt(aRecord(current!));
        const { delivery } = await onlyDelivery();
        expect([delivery.status, delivery.attempts.map(({ number }) => number)]).toEqual(["delivered", [1, 2]]);
      });

      test("a released claim is pending again without an attempt", async () => {
        const delivery = await oneClaimed();
        await store.releaseClaim(delivery, T0 + 60_000);
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          attemptCount: 0,
          nextAttemptAt: T0 + 60_000,
        });
      });

      test("a receiver that is gone disables its callback, and its open deliveries are cancelled", async () => {
        const delivery = await oneClaimed();
        const gone = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
        await store.recordAttempt(
          aRecord(delivery, { outcome: gone, step: { status: "exhausted", disablesCallback: true } }),
        );
        const { callback, delivery: after } = await onlyDelivery();
        expect([callback.status, after.status]).toEqual(["disabled", "exhausted"]);
        expect(callback.health).toMatchObject({ disabledReason: "gone", disabledAt: T0 + 12, lastError: "http_4xx" });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0, disabledCallbacks: 1 });
      });
    });

    describe("expireDeliveries", () => {
      const EXPIRY = T0 + 5000;
      const expire = (now: number, limit = 10) => store.expireDeliveries({ now, limit });

      async function twoCallbacks() {
        await store.registerCallback(aRegistration({ clientId: "expiring", notAfter: EXPIRY }));
        await store.registerCallback(aRegistration({ clientId: "lasting" }));
        await complete(await runningTask());
      }

      async function deliveryOf(clientId: string) {
        const history = await store.deliveryHistory("local", "task-1");
        return history.find(({ callback }) => callback.clientId === clientId)!.deliveries[0]!;
      }

      test("ends as many as asked for, also when some of them are cancelled in the same commit", async () => {
        for (const clientId of ["a", "b", "c"])
          await store.registerCallback(aRegistration({ clientId, notAfter: EXPIRY }));
        await complete(await runningTask());
        const history = await store.deliveryHistory("local", "task-1");
        const unregisterAll = history
          .slice(0, 2)
          .map(({ callback: { id } }) =>
            store.unregisterCallback({ principal: "local", callback: { callbackId: id }, now: EXPIRY }),
          );
        expect(await expire(EXPIRY, 1)).toHaveLength(1);
        await Promise.all(unregisterAll);
      });

      test("ends a pending delivery from its not_after on, without an attempt, and no other delivery", async () => {
        await twoCallbacks();
        expect(await expire(EXPIRY - 1)).toEqual([]);
        const { id, eventId } = await deliveryOf("expiring");
        expect(await expire(EXPIRY)).toEqual([
          {
            principal: "local",
            deliveryId: id,
            callbackId: expect.any(String),
            event: "task_completed",
            eventId,
            taskId: "task-1",
            clientId: "expiring",
            url: "http://receiver.example/hook",
            attemptCount: 0,
            reason: "not_after",
            eventSettled: false,
          },
        ]);
        expect(await deliveryOf("expiring")).toMatchObject({
          status: "exhausted",
          reason: "not_after",
          nextAttemptAt: null,
          attempts: [],
        });
        expect(await deliveryOf("lasting")).toMatchObject({ status: "pending", reason: null });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 1 });
        expect(await expire(EXPIRY + 1e9)).toEqual([]);
      });

      test("ends one that waits for a retry, its attempts kept, and settles the event with its last delivery", async () => {
        await store.registerCallback(aRegistration({ notAfter: EXPIRY }));
        await complete(await runningTask());
        const [claimed] = await store.claimDueDeliveries(aClaim());
        expect(claimed).toMatchObject({ notAfter: EXPIRY });
        const step = { status: "pending", nextAttemptAt: T0 + 1e6, keepClaim: false } as const;
        await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step }));
        expect(await expire(EXPIRY)).toMatchObject([{ attemptCount: 1, eventSettled: true }]);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "exhausted", attempts: [{ statusCode: 503 }] });
      });

      test("comes before a claim: an expired delivery is not claimed", async () => {
        await twoCallbacks();
        const claimed = await store.claimDueDeliveries(aClaim({ now: EXPIRY }));
        expect(claimed.map(({ callback }) => callback.clientId)).toEqual(["lasting"]);
      });

      test("leaves what is being sent alone, until its claim is released", async () => {
        await store.registerCallback(aRegistration({ notAfter: EXPIRY }));
        await complete(await runningTask());
        const [claimed] = await store.claimDueDeliveries(aClaim());
        expect(await expire(EXPIRY)).toEqual([]);
        await store.releaseClaim(claimed!, EXPIRY);
        expect(await expire(EXPIRY)).toHaveLength(1);
      });

      test("also ends what a dead process left claimed and whose time was over before the restart", async () => {
        await store.registerCallback(aRegistration({ notAfter: EXPIRY }));
        await complete(await runningTask());
        await store.claimDueDeliveries(aClaim());
        await store.recoverOrphans(EXPIRY + 1);
        expect(await store.claimDueDeliveries(aClaim({ now: EXPIRY + 1 }))).toEqual([]);
        expect(await expire(EXPIRY + 1)).toMatchObject([{ attemptCount: 0, eventSettled: true }]);
      });

      test("keeps to its limit, the longest expired first, and marks the one that settles the event", async () => {
        for (const [index, clientId] of ["c", "a", "b"].entries())
          await store.registerCallback(aRegistration({ clientId, notAfter: EXPIRY + index }));
        await complete(await runningTask());
        const ended = (await expire(T0 + 1e6, 2)).map(({ clientId, eventSettled }) => [clientId, eventSettled]);
        expect(ended).toEqual([
          ["c", false],
          ["a", false],
        ]);
        expect(await expire(T0 + 1e6, 2)).toMatchObject([{ clientId: "b", eventSettled: true }]);
      });

      test("is among the next delivery times, also for deliveries that are due already", async () => {
        await twoCallbacks();
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: true, nextAt: EXPIRY });
        expect(await store.nextDeliveryTimes(EXPIRY)).toEqual({ anyDue: true, nextAt: null });
      });

      test("gives the same reason as an attempt after which there was no time for another", async () => {
        await store.registerCallback(aRegistration({ notAfter: EXPIRY }));
        await complete(await runningTask());
        const [claimed] = await store.claimDueDeliveries(aClaim());
        const step = { status: "exhausted", disablesCallback: false, reason: "not_after" } as const;
        await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step }));
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "exhausted", reason: "not_after" });
      });

      test("also reaches callbacks that were registered after the end, and those whose time was over before it", async () => {
        await store.registerCallback(aRegistration({ clientId: "before", notAfter: T0 - 1 }));
        await complete(await runningTask());
        await store.registerCallback(aRegistration({ clientId: "after", notAfter: EXPIRY }));
        expect(await store.claimDueDeliveries(aClaim({ limit: 1 }))).toMatchObject([
          { callback: { clientId: "after" } },
        ]);
        expect(await expire(T0)).toMatchObject([{ clientId: "before" }]);
      });
    });

    describe("recoverOrphans", () => {
      test("brings back running tasks and claimed deliveries, attempts kept, waits kept", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 900, keepClaim: true } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        await runningTask("task-2");
        expect(await store.recoverOrphans(T0 + 1)).toEqual({ tasks: 1, deliveries: 1 });
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 900,
          attemptCount: 1,
        });
        expect(await store.claimRunnableTasks({ limit: 5, now: T0 })).toMatchObject([
          { taskId: "task-2", runCount: 2 },
        ]);
        expect(await store.recoverOrphans(T0 + 2)).toEqual({ tasks: 1, deliveries: 0 });
      });

      test("counts no death while a task was only being given up: it was not run any more", async () => {
        await store.startTask(aStart());
        for (let death = 0; death <= CRASHES_MAX; death++) {
          await store.claimRunnableTasks({ limit: 1, now: T0 });
          await store.recoverOrphans(T0);
        }
        expect((await store.findTask("local", "task-1"))!.crashes).toBe(CRASHES_MAX);
      });

      test("counts the crashes of a task in a row: not what our own stop has interrupted, and none after a run that ended", async () => {
        const crashes = async () => (await store.findTask("local", "task-1"))!.crashes;
        const claimAgain = async (now = T0) => (await store.claimRunnableTasks({ limit: 1, now }))[0]!;
        const first = await runningTask();
        expect(await store.releaseTask(first)).toBe(true);
        expect(await store.releaseTask(first)).toBe(false);
        await store.recoverOrphans(T0);
        expect(await crashes()).toBe(0);
        for (const count of [1, 2]) {
          await claimAgain();
          await store.recoverOrphans(T0);
          expect(await crashes()).toBe(count);
        }
        const { id, runCount } = await claimAgain();
        await store.retryTask({ id, runCount, error: "no", dueAt: T0 + 1 });
        expect(await crashes()).toBe(0);
      });

      test("of tasks that were running at two deaths of the process in a row one runs at a time, and every other task runs", async () => {
        // One after another: tasks that are due in the same millisecond come in any order.
        await store.startTask(aStart({ taskId: "a", now: T0 - 3 }));
        await store.startTask(aStart({ taskId: "b", now: T0 - 2 }));
        await store.startTask(aStart({ taskId: "full", taskType: "full", now: T0 - 1 }));
        for (let death = 1; death <= 2; death++) {
          await store.claimRunnableTasks({ limit: 9, now: T0 });
          await store.recoverOrphans(T0);
        }
        await store.startTask(aStart({ taskId: "innocent" }));
        const claim = async (mayTakePoison?: boolean, full = 0) => {
          const roomOf = (taskType: string) => (taskType === "full" ? full : null);
          const wish = { limit: 9, now: T0, roomOf, ...(mayTakePoison === undefined ? {} : { mayTakePoison }) };
          return (await store.claimRunnableTasks(wish)).map(({ taskId }) => taskId);
        };
        expect(await claim(false)).toEqual(["innocent"]);
        expect(await claim()).toEqual(["a"]);
        expect(await claim(true)).toEqual(["b"]);
        expect(await claim(true)).toEqual([]);
        expect(await claim(true, 1)).toEqual(["full"]);
      });

      test("makes a delivery whose attempt was cut off due at once", async () => {
        await oneClaimed();
        await store.recoverOrphans(T0 + 3);
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 3,
          attemptCount: 0,
        });
      });
    });

    const FAILED = { statuses: ["exhausted", "cancelled"], since: null } as const;
    const EXHAUSTED = { status: "exhausted", disablesCallback: false } as const;
    const GONE = { status: "exhausted", disablesCallback: true } as const;

    function unregister(principal = "local", now = T0) {
      const callback = { taskId: "task-1", clientId: "client-1", url: "http://receiver.example/hook" };
      return store.unregisterCallback({ principal, callback, now });
    }

    function redeliverOne(deliveryId: string, now = T0, principal = "local") {
      return store.redeliver({ principal, selection: { deliveryId }, now });
    }

    /** `count` callbacks of one ended task, their deliveries exhausted. */
    async function exhausted(count: number, now = T0): Promise<readonly ClaimedDelivery[]> {
      for (let index = 0; index < count; index++)
        await store.registerCallback(aRegistration({ clientId: `client-${index}`, now: T0 + index }));
      await complete(await runningTask(), now);
      const claimed = await store.claimDueDeliveries(aClaim({ now }));
      for (const delivery of claimed)
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step: EXHAUSTED }));
      return claimed;
    }

    describe("unregisterCallback", () => {
      test("removes a callback that waits for its task: it gets no delivery and does not count any more", async () => {
        const registered = await store.registerCallback(aRegistration());
        expect(await unregister()).toMatchObject({
          removedNow: true,
          cancelledCount: 0,
          callback: { id: registered.kind === "registered" && registered.callback.id, status: "removed" },
        });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0 });
        expect(await complete(await runningTask())).toMatchObject({ deliveryCount: 0 });
        expect(await store.deliveryHistory("local", "task-1")).toMatchObject([
          { callback: { status: "removed" }, deliveries: [] },
        ]);
      });

      test.each([
        ["parked", false],
        ["kept by its claim over a near wait", true],
      ])("cancels a retry that is %s, its history kept", async (_, keepClaim) => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 100, keepClaim } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        expect(await unregister()).toMatchObject({ cancelledCount: 1 });
        expect(await store.resumeClaim(delivery)).toBe(false);
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1e9 }))).toEqual([]);
        const { callback, delivery: after } = await onlyDelivery();
        expect([callback.status, after.status, after.nextAttemptAt, after.attempts.length]).toEqual([
          "removed",
          "cancelled",
          null,
          1,
        ]);
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0 });
      });

      test("an attempt that was under way is added to the history and changes nothing", async () => {
        const delivery = await oneClaimed();
        await unregister();
        expect(await store.recordAttempt(aRecord(delivery))).toEqual({ claimHeld: false, eventSettled: false });
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "cancelled", attemptCount: 1 });
      });

      test("the second time changes nothing, and leaves what was delivered as it is", async () => {
        await store.recordAttempt(aRecord(await oneClaimed()));
        const first = await unregister();
        expect(await unregister()).toEqual({ ...first, removedNow: false });
        expect((await onlyDelivery()).delivery.status).toBe("delivered");
      });

      test("a callback of another principal is not found, by its id or by its names", async () => {
        const registered = await store.registerCallback(aRegistration());
        const callbackId = registered.kind === "registered" ? registered.callback.id : "";
        expect(await unregister("another")).toBeNull();
        const byId = { callback: { callbackId }, now: T0 };
        expect(await store.unregisterCallback({ principal: "another", ...byId })).toBeNull();
        expect(await store.findCallback({ principal: "another", callbackId, now: T0 })).toBeNull();
        expect(await store.findCallback({ principal: "local", callbackId, now: T0 })).toMatchObject({
          callback: { status: "active" },
        });
        expect(await store.unregisterCallback({ principal: "local", ...byId })).toMatchObject({ removedNow: true });
      });

      test("registered again it is the same callback with its history, and what is chosen is chosen anew", async () => {
        const first = await store.registerCallback(aRegistration({ signingSecret: "whsec_first" }));
        await unregister();
        const again = await store.registerCallback(aRegistration({ events: ["task_completed"], now: T0 + 1 }));
        const { id } = first.kind === "registered" ? first.callback : { id: "" };
        expect(again).toMatchObject({
          kind: "registered",
          callbackCount: 1,
          callback: { id, status: "active", signingSecret: A_SECRET, events: ["task_completed"], registeredAt: T0 },
        });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 1 });
        expect(await complete(await runningTask())).toMatchObject({ deliveryCount: 1 });
      });

      test("registered again after the end its one delivery is due again, unless the end is not selected any more", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 1e6, keepClaim: false } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        await unregister();
        await store.registerCallback(aRegistration({ events: ["task_failed"] }));
        expect((await onlyDelivery()).delivery.status).toBe("cancelled");
        await unregister();
        expect(await store.registerCallback(aRegistration())).toMatchObject({ ended: "task_completed" });
        expect(await store.claimDueDeliveries(aClaim())).toMatchObject([
          { deliveryId: delivery.deliveryId, attemptCount: 1, attemptsBefore: 1 },
        ]);
      });

      test("a removed callback leaves its place among the thousand", async () => {
        await registerMany(1000, {});
        await unregister();
        expect(await store.registerCallback(aRegistration({ clientId: "one-more" }))).toMatchObject({
          callbackCount: 1000,
        });
        expect(await store.registerCallback(aRegistration())).toEqual({ kind: "limit" });
      });
    });

    function enable(callbackId: string, now = T0, principal = "local") {
      return store.enableCallback({ principal, callbackId, now });
    }

    describe("enableCallback", () => {
      test("makes a disabled callback active again, whose delivery can then be sent again", async () => {
        const claimed = await oneClaimed();
        const callbackId = claimed.callback.id;
        await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step: GONE }));
        expect(await enable(callbackId)).toMatchObject({
          enabled: { reason: "gone", resumedCount: 0 },
          callback: { status: "active" },
        });
        expect(await enable(callbackId)).toMatchObject({
          enabled: null,
          callback: { status: "active" },
        });
        expect((await onlyDelivery()).delivery.status).toBe("exhausted");
        expect(await redeliverOne(claimed.deliveryId)).toMatchObject({ kind: "redelivered" });
        expect(await store.claimDueDeliveries(aClaim())).toHaveLength(1);
      });

      test("leaves a removed callback removed, and finds none of another principal", async () => {
        const claimed = await oneClaimed();
        await unregister();
        const callbackId = claimed.callback.id;
        expect(await enable(callbackId)).toMatchObject({
          enabled: null,
          callback: { status: "removed" },
        });
        expect(await enable(callbackId, T0, "another")).toBeNull();
      });
    });

    describe("a callback that fails for long", () => {
      const AT_ONCE = { forMs: 0, failuresMin: 1 };
      const PARKED = { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false } as const;
      const NEAR = { status: "pending", nextAttemptAt: T0 + 100, keepClaim: true } as const;
      const IN_ORDER = {
        failingSince: null,
        failures: 0,
        lastError: null,
        disabledReason: null,
        disabledAt: null,
      };

      /** One whose one delivery waits for it. */
      async function disabled(changes: Parameters<typeof aRegistration>[0] = {}): Promise<ClaimedDelivery> {
        await store.registerCallback(aRegistration(changes));
        await complete(await runningTask());
        const [claimed] = await store.claimDueDeliveries(aClaim());
        const failed = { outcome: FAILED_503, step: PARKED, disablePolicy: AT_ONCE };
        await store.recordAttempt(aRecord(claimed!, failed));
        return claimed!;
      }

      test.each([
        ["parked", PARKED],
        ["kept by its claim over a near wait", NEAR],
      ])("is disabled, and its retry, that was to be %s, is held", async (_, step) => {
        const claimed = await oneClaimed();
        const failed = { outcome: FAILED_503, step, disablePolicy: AT_ONCE };
        expect(await store.recordAttempt(aRecord(claimed, failed))).toEqual({
          claimHeld: true,
          eventSettled: false,
          isHeld: true,
          callbackChange: { status: "disabled", reason: "failing", failingSince: T0 + 12, heldCount: 1 },
        });
        const { callback, delivery } = await onlyDelivery();
        expect(callback).toMatchObject({
          status: "disabled",
          health: {
            failingSince: T0 + 12,
            failures: 1,
            lastError: "http_5xx",
            lastDeliveryAt: null,
            disabledReason: "failing",
            disabledAt: T0 + 12,
          },
        });
        expect(delivery).toMatchObject({ status: "pending", nextAttemptAt: null, attemptCount: 1 });
        expect(await store.resumeClaim(claimed)).toBe(false);
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1e9 }))).toEqual([]);
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: false, nextAt: null });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0, disabledCallbacks: 1 });
      });

      test("is disabled only after the time and the attempts of the policy, in a row", async () => {
        const disablePolicy = { forMs: 5000, failuresMin: 3 };
        await store.registerCallback(aRegistration());
        await complete(await runningTask());
        const record = async (at: number, outcome: Parameters<typeof aRecord>[1]) => {
          const [claimed] = await store.claimDueDeliveries(aClaim({ now: at }));
          const step = { status: "pending", nextAttemptAt: at + 1, keepClaim: false } as const;
          await store.recordAttempt(
            aRecord(claimed!, { step, startedAt: at, durationMs: 0, disablePolicy, ...outcome }),
          );
          return (await onlyDelivery()).callback;
        };
        const failure = { outcome: FAILED_503 };
        for (const at of [T0, T0 + 1, T0 + 2, T0 + 4999]) expect((await record(at, failure)).status).toBe("active");
        expect((await record(T0 + 5000, {})).health).toEqual({ ...IN_ORDER, lastDeliveryAt: T0 + 5000 });
        expect((await record(T0 + 6000, failure)).health).toMatchObject({ failingSince: T0 + 6000, failures: 1 });
        expect((await record(T0 + 11_000, failure)).status).toBe("active");
        expect(await record(T0 + 11_001, failure)).toMatchObject({
          status: "disabled",
          health: { failingSince: T0 + 6000, lastDeliveryAt: T0 + 5000, disabledAt: T0 + 11_001 },
        });
      });

      test("without a policy stays active, however long it fails", async () => {
        const claimed = await oneClaimed();
        await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step: PARKED, startedAt: T0 + 1e12 }));
        expect((await onlyDelivery()).callback.status).toBe("active");
      });

      test("gives up what its own schedule gives up with the same attempt: nothing is left to hold", async () => {
        const claimed = await oneClaimed();
        const failed = { outcome: FAILED_503, step: EXHAUSTED, disablePolicy: AT_ONCE };
        expect(await store.recordAttempt(aRecord(claimed, failed))).toMatchObject({
          eventSettled: true,
          callbackChange: { reason: "failing", heldCount: 0 },
        });
        expect((await onlyDelivery()).delivery.status).toBe("exhausted");
      });

      test("enabled it is in order, and what waited is due now at its place in the schedule", async () => {
        const { callback } = await disabled();
        expect(await enable(callback.id, T0 + 9)).toMatchObject({
          enabled: { reason: "failing", resumedCount: 1 },
          callback: { status: "active", health: IN_ORDER },
        });
        expect(await enable(callback.id, T0 + 10)).toMatchObject({ enabled: null, callback: { status: "active" } });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 1, disabledCallbacks: 0 });
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "pending", nextAttemptAt: T0 + 9 });
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 9 }))).toMatchObject([
          { attemptCount: 1, attemptsBefore: 0 },
        ]);
      });

      test("is registered again as it is, disabled, and gets nothing by that", async () => {
        await disabled();
        expect(await store.registerCallback(aRegistration())).toMatchObject({
          kind: "existing",
          callback: { status: "disabled", health: { disabledReason: "failing" } },
        });
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1e9 }))).toEqual([]);
      });

      test("removed and registered again it is in order, and its POST is due", async () => {
        await disabled();
        expect(await unregister()).toMatchObject({ cancelledCount: 1 });
        expect((await onlyDelivery()).callback).toMatchObject({ status: "removed", health: IN_ORDER });
        expect(await store.registerCallback(aRegistration())).toMatchObject({
          kind: "registered",
          callback: { status: "active", health: IN_ORDER },
        });
        expect(await store.claimDueDeliveries(aClaim())).toHaveLength(1);
      });

      test("has nothing redelivered until it is enabled", async () => {
        const { deliveryId, callback } = await disabled();
        const refused = { kind: "refused", callbackId: callback.id, why: "failing" };
        expect(await redeliverOne(deliveryId)).toEqual(refused);
        const selection = { taskId: "task-1", statuses: null, since: null, after: null, limit: 9 };
        expect(await store.redeliver({ principal: "local", selection, now: T0 })).toMatchObject({
          deliveryIds: [],
          passedOver: 1,
        });
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "pending", nextAttemptAt: null });
      });

      test("keeps what waits for it until its not_after, and no longer", async () => {
        await disabled({ notAfter: T0 + 9000 });
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: false, nextAt: T0 + 9000 });
        expect(await store.expireDeliveries({ now: T0 + 8999, limit: 9 })).toEqual([]);
        expect(await store.expireDeliveries({ now: T0 + 9000, limit: 9 })).toMatchObject([{ eventSettled: true }]);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "exhausted", reason: "not_after" });
      });

      test("keeps its task from being pruned while something waits for it, and a restart changes nothing", async () => {
        await disabled();
        expect(await store.recoverOrphans(T0 + 1e9)).toEqual({ tasks: 0, deliveries: 0 });
        const { removed } = await store.pruneHistory({ before: T0 + 1e12, limit: 9, after: null });
        expect(removed.tasks).toBe(0);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "pending", nextAttemptAt: null });
      });

      test("does not delay other callbacks at its origin", async () => {
        await disabled();
        await store.registerCallback(aRegistration({ taskId: "task-2" }));
        await complete(await runningTask("task-2"));
        const roomOf = new Map([["http://full.example", 0]]);
        expect(await store.claimDueDeliveries(aClaim({ roomOf, perOrigin: 1 }))).toMatchObject([
          { event: { data: { task_id: "task-2" } } },
        ]);
      });
    });

    describe("redeliver", () => {
      test.each(["exhausted", "delivered"] as const)(
        "opens one that is %s again, its schedule anew",
        async (status) => {
          const claimed = await oneClaimed();
          const step = status === "exhausted" ? EXHAUSTED : ({ status } as const);
          await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step }));
          const { deliveryId } = claimed;
          expect(await redeliverOne(deliveryId, T0 + 9)).toEqual({
            kind: "redelivered",
            deliveryIds: [deliveryId],
            passedOver: 0,
            next: null,
          });
          expect((await onlyDelivery()).delivery).toMatchObject({
            status: "pending",
            nextAttemptAt: T0 + 9,
            attemptCount: 1,
            attempts: [{ number: 1 }],
          });
          const [again] = await store.claimDueDeliveries(aClaim({ now: T0 + 9 }));
          expect(again).toMatchObject({ deliveryId, event: claimed.event, attemptCount: 1, attemptsBefore: 1 });
          expect(await store.recordAttempt(aRecord(again!))).toEqual({ claimHeld: true, eventSettled: true });
          const { delivery } = await onlyDelivery();
          expect([delivery.status, delivery.attempts.map(({ number }) => number)]).toEqual(["delivered", [1, 2]]);
        },
      );

      test("makes one that waits due now, its schedule anew; asked twice it is one", async () => {
        const claimed = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false } as const;
        await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step }));
        await redeliverOne(claimed.deliveryId, T0 + 1);
        await redeliverOne(claimed.deliveryId, T0 + 2);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "pending", nextAttemptAt: T0 + 1 });
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 2 }))).toMatchObject([
          { attemptCount: 1, attemptsBefore: 1 },
        ]);
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 2 }))).toEqual([]);
      });

      test("takes one out of a near wait, whose claim is void by that", async () => {
        const claimed = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 1000, keepClaim: true } as const;
        await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step }));
        await redeliverOne(claimed.deliveryId, T0 + 1);
        expect(await store.resumeClaim(claimed)).toBe(false);
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1 }))).toMatchObject([{ attemptCount: 1 }]);
      });

      test.each([
        ["gets through", { status: "delivered" }],
        ["is given up", EXHAUSTED],
        ["is to be retried later", { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false }],
        ["is to be retried soon", { status: "pending", nextAttemptAt: T0 + 500, keepClaim: true }],
      ] as const)("sends one that is being sent once more when its attempt %s, its schedule anew", async (_, step) => {
        const claimed = await oneClaimed();
        await redeliverOne(claimed.deliveryId);
        await redeliverOne(claimed.deliveryId);
        expect((await onlyDelivery()).delivery.status).toBe("sending");
        expect(await store.claimDueDeliveries(aClaim())).toEqual([]);
        const recorded = await store.recordAttempt(aRecord(claimed, { step }));
        expect(recorded).toEqual({ claimHeld: true, eventSettled: false, isDueAgain: true });
        const [again] = await store.claimDueDeliveries(aClaim({ now: T0 + 12 }));
        expect(again).toMatchObject({ attemptCount: 1, attemptsBefore: 1 });
        await store.recordAttempt(aRecord(again!));
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1e9 }))).toEqual([]);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "delivered", attemptCount: 2 });
      });

      test("one whose sender died is sent once: that is later than it was asked for", async () => {
        const claimed = await oneClaimed();
        await redeliverOne(claimed.deliveryId);
        await store.recoverOrphans(T0 + 1);
        const [again] = await store.claimDueDeliveries(aClaim({ now: T0 + 1 }));
        expect(await store.recordAttempt(aRecord(again!))).toMatchObject({ eventSettled: true });
        expect((await onlyDelivery()).delivery.status).toBe("delivered");
      });

      test("one that is gone while it is being sent stays given up", async () => {
        const claimed = await oneClaimed();
        await redeliverOne(claimed.deliveryId);
        await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step: GONE }));
        expect((await onlyDelivery()).delivery.status).toBe("exhausted");
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0 });
      });

      test("refuses deliveries of callbacks that are removed or disabled, which stay as they are", async () => {
        const claimed = await oneClaimed();
        await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step: GONE }));
        const callbackId = claimed.callback.id;
        const all = { principal: "local", selection: { callbackId, ...FAILED, after: null, limit: 9 }, now: T0 };
        const disabled = { kind: "refused", callbackId, why: "gone" };
        expect([await redeliverOne(claimed.deliveryId), await store.redeliver(all)]).toEqual([disabled, disabled]);
        await unregister();
        expect(await store.redeliver(all)).toEqual({ ...disabled, why: "removed" });
        expect((await onlyDelivery()).delivery.status).toBe("exhausted");
      });

      test("finds no delivery, callback or task of another principal", async () => {
        const claimed = await oneClaimed();
        const bulk = { ...FAILED, after: null, limit: 9 };
        const selections = [
          { deliveryId: claimed.deliveryId },
          { callbackId: claimed.callback.id, ...bulk },
          { taskId: "task-1", ...bulk },
        ];
        for (const selection of selections)
          expect(await store.redeliver({ principal: "another", selection, now: T0 })).toEqual({ kind: "not_found" });
      });

      test("opens all of a task that match, in bounded steps, and the second time none is left", async () => {
        const claimed = await exhausted(5);
        const found: string[] = [];
        const sizes: number[] = [];
        for (let after = null as { callbackId: string; eventId: string } | null, isFirst = true; isFirst || after;) {
          isFirst = false;
          const selection = { taskId: "task-1", ...FAILED, after, limit: 2 };
          const result = await store.redeliver({ principal: "local", selection, now: T0 + 1 });
          if (result.kind !== "redelivered") throw new Error(result.kind);
          found.push(...result.deliveryIds);
          sizes.push(result.deliveryIds.length);
          after = result.next;
        }
        expect(sizes).toEqual([2, 2, 1]);
        expect(found.toSorted()).toEqual(claimed.map(({ deliveryId }) => deliveryId).toSorted());
        const selection = { taskId: "task-1", ...FAILED, after: null, limit: 9 };
        expect(await store.redeliver({ principal: "local", selection, now: T0 })).toMatchObject({ deliveryIds: [] });
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1 }))).toHaveLength(5);
      });

      test("heeds status and since, and passes over callbacks that are not active", async () => {
        await exhausted(3);
        const everything = { after: null, limit: 9 };
        const redeliver = (filter: { statuses: readonly ("delivered" | "exhausted")[]; since: number | null }) =>
          store.redeliver({
            principal: "local",
            selection: { taskId: "task-1", ...everything, ...filter },
            now: T0,
          });
        expect(await redeliver({ statuses: ["delivered"], since: null })).toMatchObject({ deliveryIds: [] });
        expect(await redeliver({ statuses: ["exhausted"], since: T0 + 1 })).toMatchObject({ deliveryIds: [] });
        await store.unregisterCallback({
          principal: "local",
          callback: { taskId: "task-1", clientId: "client-0", url: "http://receiver.example/hook" },
          now: T0,
        });
        const result = await redeliver({ statuses: ["exhausted"], since: T0 });
        expect(result).toMatchObject({ deliveryIds: [expect.any(String), expect.any(String)], passedOver: 1 });
      });
    });

    describe("deliveryHistory", () => {
      const EVERYTHING = { after: null, limit: 100, statuses: null, since: null };
      const clientsOf = (page: Awaited<ReturnType<Store["deliveryHistory"]>>) =>
        page.map(({ callback }) => callback.clientId);

      test("is paged by registration, whatever is registered meanwhile", async () => {
        const seen: string[] = [];
        for (const index of [0, 1, 2, 3, 4])
          await store.registerCallback(aRegistration({ clientId: `c${index}`, now: T0 + Math.floor(index / 2) }));
        let after: { registeredAt: number; id: string } | null = null;
        for (let page = 0; page < 4; page++) {
          const rows = await store.deliveryHistory("local", "task-1", { ...EVERYTHING, after, limit: 2 });
          seen.push(...clientsOf(rows));
          after = rows.at(-1)?.callback ?? after;
          await store.registerCallback(aRegistration({ clientId: `late-${page}`, now: T0 + 100 + page }));
        }
        expect(seen.slice(0, 5).toSorted()).toEqual(["c0", "c1", "c2", "c3", "c4"]);
        expect(seen.slice(5)).toEqual(["late-0", "late-1", "late-2"]);
      });

      test("with a filter shows the callbacks that have such deliveries, and of these only them", async () => {
        await exhausted(2, T0 + 50);
        await store.registerCallback(aRegistration({ clientId: "late", now: T0 + 90 }));
        const pageOf = (filter: object) => store.deliveryHistory("local", "task-1", { ...EVERYTHING, ...filter });
        expect(clientsOf(await pageOf({ statuses: ["exhausted"] }))).toEqual(["client-0", "client-1"]);
        expect(await pageOf({ statuses: ["pending"] })).toMatchObject([
          { callback: { clientId: "late" }, deliveries: [{ status: "pending", attempts: [] }] },
        ]);
        expect(clientsOf(await pageOf({ since: T0 + 51 }))).toEqual(["late"]);
        expect(await pageOf({ since: T0 + 91 })).toEqual([]);
      });

      test("shows the newest 20 attempts of a delivery, the oldest of them first, and counts all", async () => {
        const step = { status: "pending", nextAttemptAt: T0, keepClaim: false } as const;
        await store.recordAttempt(aRecord(await oneClaimed(), { outcome: FAILED_503, step }));
        for (let made = 1; made < 25; made++) {
          const [claimed] = await store.claimDueDeliveries(aClaim());
          await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step }));
        }
        const { delivery } = await onlyDelivery();
        expect(delivery.attemptCount).toBe(25);
        expect(delivery.attempts.map(({ number }) => number)).toEqual(
          Array.from({ length: 20 }, (_, index) => index + 6),
        );
      });

      test("is counted over all of its pages, with the same filter", async () => {
        await exhausted(3, T0 + 50);
        await store.registerCallback(aRegistration({ clientId: "late", now: T0 + 90 }));
        await store.registerCallback(aRegistration({ taskId: "task-2" }));
        const countOf = (filter: object, principal = "local", taskId = "task-1") =>
          store.callbackCount(principal, taskId, { statuses: null, since: null, ...filter });
        expect(await countOf({})).toBe(4);
        expect(await countOf({ statuses: ["exhausted"] })).toBe(3);
        expect(await countOf({ since: T0 + 51 })).toBe(1);
        expect(await countOf({ since: T0 + 91 })).toBe(0);
        expect([await countOf({}, "bob"), await countOf({}, "local", "task-3")]).toEqual([0, 0]);
      });

      test("a filter takes a claim that is kept over a short wait for the pending delivery that it shows as", async () => {
        const step = { status: "pending", nextAttemptAt: T0 + 100, keepClaim: true } as const;
        await store.recordAttempt(aRecord(await oneClaimed(), { outcome: FAILED_503, step }));
        const pageOf = (status: "pending" | "sending") =>
          store.deliveryHistory("local", "task-1", { ...EVERYTHING, statuses: [status] });
        expect(await pageOf("pending")).toMatchObject([{ deliveries: [{ status: "pending" }] }]);
        expect(await pageOf("sending")).toEqual([]);
      });
    });

    describe("pruneHistory", () => {
      const DAY_MS = 86_400_000;
      const NONE = { tasks: 0, callbacks: 0, events: 0, deliveries: 0, attempts: 0 };
      const prune = (changes: Partial<PruneHistory> = {}) =>
        store.pruneHistory({ before: T0 + DAY_MS, limit: 100, after: null, ...changes });

      async function delivered(taskId: string, at = T0): Promise<void> {
        await store.registerCallback(aRegistration({ taskId }));
        await complete(await runningTask(taskId), at);
        for (const claim of await store.claimDueDeliveries(aClaim({ now: at })))
          await store.recordAttempt(aRecord(claim, { startedAt: at }));
      }

      test("removes a task that ended before, whole, and its task_id may be used again", async () => {
        await delivered("task-1");
        expect(await prune()).toEqual({
          removed: { tasks: 1, callbacks: 1, events: 1, deliveries: 1, attempts: 1 },
          next: null,
        });
        expect(await store.findTask("local", "task-1")).toBeNull();
        expect(await store.deliveryHistory("local", "task-1")).toEqual([]);
        expect(await store.counts()).toEqual({
          completedTasks: 1,
          activeTasks: 0,
          pendingCallbacks: 0,
          disabledCallbacks: 0,
        });
        expect(await store.registerCallback(aRegistration())).toMatchObject({ kind: "registered", callbackCount: 1 });
        expect(await store.startTask(aStart({ clientId: "another" }))).toMatchObject({ kind: "started" });
      });

      test("leaves what ended at that moment or later, and other principals' tasks of the same name", async () => {
        await delivered("task-1");
        await complete(await runningTask("task-1", "bob"), T0 + 13);
        expect((await prune({ before: T0 })).removed).toEqual(NONE);
        expect((await prune({ before: T0 + 13 })).removed).toMatchObject({ tasks: 1 });
        expect(await store.findTask("bob", "task-1")).toMatchObject({ status: "completed" });
      });

      test("leaves tasks that have not ended, and callbacks whose task was never started", async () => {
        await store.registerCallback(aRegistration({ taskId: "never-started" }));
        await store.startTask(aStart({ taskId: "pending" }));
        await runningTask("running");
        expect((await prune({ before: T0 + 1000 * DAY_MS })).removed).toEqual(NONE);
        expect(await store.deliveryHistory("local", "never-started")).toHaveLength(1);
      });

      test.each([
        ["pending", { status: "pending", nextAttemptAt: T0 + 9 * DAY_MS, keepClaim: false }],
        ["kept over a short wait", { status: "pending", nextAttemptAt: T0 + 9, keepClaim: true }],
        ["being sent", null],
      ] as const)("one delivery that is %s keeps its task whole", async (_, step) => {
        await store.registerCallback(aRegistration({ clientId: "client-2" }));
        await oneClaimed();
        await store.recoverOrphans(T0);
        const [first, second] = await store.claimDueDeliveries(aClaim());
        await store.recordAttempt(aRecord(first!));
        if (step !== null) await store.recordAttempt(aRecord(second!, { outcome: FAILED_503, step }));
        const before = await store.deliveryHistory("local", "task-1");
        expect(await prune()).toEqual({ removed: NONE, next: null });
        expect(await store.deliveryHistory("local", "task-1")).toEqual(before);
        expect(await store.findTask("local", "task-1")).toMatchObject({ result: "done" });
      });

      test("a callback that was registered later, or a delivery that was settled later, keeps its task whole", async () => {
        await delivered("task-1");
        await store.registerCallback(aRegistration({ clientId: "late", events: ["task_failed"], now: T0 + 2 }));
        expect((await prune({ before: T0 + 2 })).removed).toEqual(NONE);
        expect((await prune({ before: T0 + 3 })).removed).toEqual(NONE);
        expect((await prune({ before: T0 + 13 })).removed).toMatchObject({ tasks: 1, callbacks: 2, deliveries: 1 });
      });

      test("goes on where it stopped, past what is held, and says when it is through", async () => {
        await oneClaimed();
        for (const taskId of ["b", "c", "d"]) await complete(await runningTask(taskId), T0 + 1);
        const first = await prune({ limit: 2 });
        expect(first).toMatchObject({ removed: { tasks: 1 }, next: { finishedAt: T0 + 1 } });
        const second = await prune({ limit: 2, after: first.next });
        expect(second).toMatchObject({ removed: { tasks: 2 }, next: { finishedAt: T0 + 1 } });
        expect(await prune({ limit: 2, after: second.next })).toEqual({ removed: NONE, next: null });
        expect(await store.findTask("local", "task-1")).not.toBeNull();
      });

      test("a step that has removed very many rows ends before its limit", async () => {
        for (const taskId of ["b", "c", "d"]) {
          await registerMany(1000, { taskId, events: ["task_failed"] });
          await complete(await runningTask(taskId));
        }
        const first = await prune();
        expect(first.removed).toMatchObject({ tasks: 2, callbacks: 2000 });
        expect(await prune({ after: first.next })).toMatchObject({ removed: { tasks: 1 }, next: null });
      });

      test("an attempt of a delivery that retention has removed is dropped", async () => {
        const delivery = await oneClaimed();
        const gone = { status: "exhausted", disablesCallback: false } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step: gone }));
        await prune();
        expect(await store.recordAttempt(aRecord(delivery))).toEqual({ claimHeld: false, eventSettled: false });
      });
    });

    describe("rotateSecret", () => {
      const ANOTHER = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
      const HOUR_MS = 3_600_000;

      async function registered(): Promise<Callback> {
        const result = await store.registerCallback(aRegistration());
        if (!("callback" in result)) throw new Error(`It was not registered: ${result.kind}`);
        return result.callback;
      }
      const rotateTo = (callbackId: string, secret: string, changes: Partial<RotateSecret> = {}) =>
        store.rotateSecret({ principal: "local", callbackId, secret, overlapMs: HOUR_MS, now: T0, ...changes });
      async function secretsClaimedAt(now: number) {
        const [claimed] = await store.claimDueDeliveries(aClaim({ now }));
        return claimed!.callback.signingSecrets;
      }

      test("makes the new secret the current one, and what is claimed meanwhile is signed with both", async () => {
        const { id } = await registered();
        const result = await rotateTo(id, ANOTHER);
        expect(result).toMatchObject({
          kind: "rotated",
          overlapEnd: T0 + HOUR_MS,
          callback: { signingSecret: ANOTHER },
        });
        expect(await store.registerCallback(aRegistration())).toMatchObject({ callback: { signingSecret: ANOTHER } });
        await complete(await runningTask());
        expect(await secretsClaimedAt(T0 + HOUR_MS - 1)).toEqual([ANOTHER, A_SECRET]);
        await store.recoverOrphans(T0);
        expect(await secretsClaimedAt(T0 + HOUR_MS)).toEqual([ANOTHER]);
      });

      test("finds the same secret again unchanged, its overlap too", async () => {
        const { id } = await registered();
        const first = await rotateTo(id, ANOTHER);
        expect(await rotateTo(id, ANOTHER, { now: T0 + 9 })).toEqual({ ...first, kind: "unchanged" });
      });

      test("another principal's callback and one that does not exist are the same: not found", async () => {
        const { id } = await registered();
        expect(await rotateTo(id, ANOTHER, { principal: "bob" })).toEqual({ kind: "not_found" });
        expect(await rotateTo("cb_none", ANOTHER)).toEqual({ kind: "not_found" });
        expect(await store.registerCallback(aRegistration())).toMatchObject({ callback: { signingSecret: A_SECRET } });
      });

      test("gives back a claim that waits for its next try, so that the try is signed anew", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 100, keepClaim: true } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        await rotateTo(delivery.callback.id, ANOTHER, { overlapMs: 0 });
        expect(await store.resumeClaim(delivery)).toBe(false);
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: false, nextAt: T0 + 100 });
        expect(await secretsClaimedAt(T0 + 100)).toEqual([ANOTHER]);
      });

      test("leaves an attempt under way its claim", async () => {
        const delivery = await oneClaimed();
        await rotateTo(delivery.callback.id, ANOTHER);
        expect(await store.recordAttempt(aRecord(delivery))).toMatchObject({ claimHeld: true });
      });
    });

    describe("reencryptSecrets", () => {
      test("has nothing to do without a key", async () => {
        await store.registerCallback(aRegistration());
        expect(await store.reencryptSecrets({ limit: 10 })).toEqual({ sealed: 0, unreadable: 0, isDone: true });
      });
    });

    describe("counts", () => {
      test("count tasks and the callbacks that wait for a POST", async () => {
        expect(await store.counts()).toEqual({
          completedTasks: 0,
          activeTasks: 0,
          pendingCallbacks: 0,
          disabledCallbacks: 0,
        });
        await store.registerCallback(aRegistration());
        await store.registerCallback(aRegistration({ clientId: "failures", events: ["task_failed"] }));
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 2 });
        const task = await runningTask();
        expect(await store.counts()).toMatchObject({ activeTasks: 1 });
        await complete(task);
        expect(await store.counts()).toEqual({
          completedTasks: 1,
          activeTasks: 0,
          pendingCallbacks: 1,
          disabledCallbacks: 0,
        });
        const [delivery] = await store.claimDueDeliveries(aClaim());
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 1 });
        await store.recordAttempt(aRecord(delivery!));
        expect(await store.counts()).toEqual({
          completedTasks: 1,
          activeTasks: 0,
          pendingCallbacks: 0,
          disabledCallbacks: 0,
        });
      });
    });

    describe("the inbox", () => {
      const received = (index: number) => ({
        receivedAt: T0 + index,
        headers: { a: "b" },
        body: { type: "x", index },
      });

      test("keeps the last hundred of each client, newest first", async () => {
        for (let index = 0; index < 103; index++) await store.recordReceived({ clientId: "c", ...received(index) });
        await store.recordReceived({ clientId: "other", ...received(0) });
        const kept = await store.listReceived("c");
        expect(kept).toHaveLength(100);
        expect(kept[0]).toEqual(received(102));
        expect(kept.at(-1)).toEqual(received(3));
        expect(await store.listReceived("other")).toEqual([received(0)]);
      });

      test("keeps fewer when they are large", async () => {
        const large = (index: number) => ({ ...received(index), body: { type: "x", text: "y".repeat(1024 * 1024) } });
        for (let index = 0; index < 10; index++) await store.recordReceived({ clientId: "c", ...large(index) });
        const kept = await store.listReceived("c");
        expect(kept.length).toBeLessThan(9);
        expect(kept[0]).toEqual(large(9));
      });
    });
  });
}
