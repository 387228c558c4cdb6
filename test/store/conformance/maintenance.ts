import { beforeEach, describe, expect, test } from "vitest";
import type { PruneHistory } from "../../../src/service/ports/maintenance-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import { FAILED_503, T0, aClaim, aRecord, aRegistration, aStart } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of retention. Each store runs it. */
export function describeMaintenance(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, registerMany, oneClaimed } = createSteps(() => store);

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
        await store.recoverInterrupted(T0);
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
        expect(await store.recordAttempt(aRecord(delivery))).toEqual({ claimWasCurrent: false, eventSettled: false });
      });
    });
  });
}
