import { beforeEach, describe, expect, test } from "vitest";
import { CRASHES_MAX } from "../../../src/domain/task.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import { FAILED_503, T0, aRecord, aStart } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of the work of a process that died. Each store runs it. */
export function describeRecovery(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, oneClaimed, onlyDelivery } = createSteps(() => store);

    describe("recoverInterrupted", () => {
      test("brings back running tasks and claimed deliveries, attempts kept, waits kept", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 900, keepClaim: true } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        await runningTask("task-2");
        expect(await store.recoverInterrupted(T0 + 1)).toEqual({ tasks: 1, deliveries: 1 });
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 900,
          attemptCount: 1,
        });
        expect(await store.claimRunnableTasks({ limit: 5, now: T0 })).toMatchObject([
          { taskId: "task-2", runCount: 2 },
        ]);
        expect(await store.recoverInterrupted(T0 + 2)).toEqual({ tasks: 1, deliveries: 0 });
      });

      test("counts no crash while a task was only being given up: it was not run any more", async () => {
        await store.startTask(aStart());
        for (let crash = 0; crash <= CRASHES_MAX; crash++) {
          await store.claimRunnableTasks({ limit: 1, now: T0 });
          await store.recoverInterrupted(T0);
        }
        expect((await store.findTask("local", "task-1"))!.crashes).toBe(CRASHES_MAX);
      });

      test("counts the crashes of a task in a row: not what our own stop has interrupted, and none after a run that ended", async () => {
        const crashes = async () => (await store.findTask("local", "task-1"))!.crashes;
        const claimAgain = async (now = T0) => (await store.claimRunnableTasks({ limit: 1, now }))[0]!;
        const first = await runningTask();
        expect(await store.releaseTask(first)).toBe(true);
        expect(await store.releaseTask(first)).toBe(false);
        await store.recoverInterrupted(T0);
        expect(await crashes()).toBe(0);
        for (const count of [1, 2]) {
          await claimAgain();
          await store.recoverInterrupted(T0);
          expect(await crashes()).toBe(count);
        }
        const { id, runCount } = await claimAgain();
        await store.retryTask({ id, runCount, error: "no", dueAt: T0 + 1 });
        expect(await crashes()).toBe(0);
      });

      test("of tasks that were running at two crashes of the process in a row one runs at a time, and every other task runs", async () => {
        // One after another: tasks that are due in the same millisecond come in any order.
        await store.startTask(aStart({ taskId: "a", now: T0 - 3 }));
        await store.startTask(aStart({ taskId: "b", now: T0 - 2 }));
        await store.startTask(aStart({ taskId: "full", taskType: "full", now: T0 - 1 }));
        for (let crash = 1; crash <= 2; crash++) {
          await store.claimRunnableTasks({ limit: 9, now: T0 });
          await store.recoverInterrupted(T0);
        }
        await store.startTask(aStart({ taskId: "innocent" }));
        const claim = async (mayTakePoison?: boolean, full = 0) => {
          const freeSlotsOf = (taskType: string) => (taskType === "full" ? full : null);
          const wish = { limit: 9, now: T0, freeSlotsOf, ...(mayTakePoison === undefined ? {} : { mayTakePoison }) };
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
        await store.recoverInterrupted(T0 + 3);
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 3,
          attemptCount: 0,
        });
      });
    });
  });
}
