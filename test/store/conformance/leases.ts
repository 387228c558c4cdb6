import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Task } from "../../../src/domain/task.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import type { ClaimWorkerTask } from "../../../src/service/ports/lease-store.ts";
import { aRegistration, aStart, T0 } from "../../support/builders.ts";
import type { OpenStore } from "./setup.ts";

const LEASE_MS = 60_000;
const DONE = { status: "completed", result: "done" } as const;

/** What the Store port promises of work done outside. Each store runs it. */
export function describeLeases(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
      onTestFinished(() => store.close());
    });

    const startWorkerTask = (taskId = "task-1", changes: Parameters<typeof aStart>[0] = {}) =>
      store.startTask(aStart({ taskId, taskType: "external", executor: "worker", ...changes }));
    const claim = (changes: Partial<ClaimWorkerTask> = {}) =>
      store.claimWorkerTask({
        types: ["external"],
        worker: "w1",
        leaseDigest: "digest-1",
        leaseUntil: T0 + LEASE_MS,
        now: T0,
        ...changes,
      });
    async function claimed(): Promise<Task> {
      await startWorkerTask();
      return (await claim())!;
    }
    const keyOf = ({ id }: Task) => ({ id, leaseDigest: "digest-1" });
    const startWithUrl = (digest: string, expiresAt: number, taskId = "task-1") =>
      store.startTask({
        ...aStart({ taskId, taskType: "external", executor: "completion_url" }),
        completion: { digest, expiresAt },
      });

    test("the runner claims no task of workers, and workers claim no task of handlers", async () => {
      await startWorkerTask();
      await store.startTask(aStart({ taskId: "task-2", taskType: "external" }));
      expect(await store.claimRunnableTasks({ limit: 10, now: T0 })).toMatchObject([{ taskId: "task-2" }]);
      expect(await claim()).toMatchObject({ taskId: "task-1", status: "running", runCount: 1, startedAt: T0 });
      expect(await claim()).toBeNull();
    });

    test("a claim takes the task that was due first of the types that it names", async () => {
      await startWorkerTask("task-1", { taskType: "a", now: T0 + 2 });
      await startWorkerTask("task-2", { taskType: "b", now: T0 + 1 });
      await startWorkerTask("task-3", { taskType: "c", now: T0 });
      const now = T0 + 2;
      expect(await claim({ types: ["a", "b"], now })).toMatchObject({ taskId: "task-2" });
      expect(await claim({ types: ["a", "b"], now })).toMatchObject({ taskId: "task-1" });
      expect(await claim({ types: ["a", "b"], now })).toBeNull();
    });

    test("a lease is found as current, and any other as lost", async () => {
      const task = await claimed();
      expect(await store.findLease(keyOf(task))).toMatchObject({ lease: "current", task });
      expect(await store.findLease({ id: task.id, leaseDigest: "another" })).toMatchObject({ lease: "lost" });
      expect(await store.findLease({ id: "tsk_none", leaseDigest: "digest-1" })).toBeNull();
    });

    test("a lease is renewed only while it holds", async () => {
      const task = await claimed();
      const renewed = { ...keyOf(task), leaseUntil: T0 + 2 * LEASE_MS };
      expect(await store.renewLease({ ...renewed, now: T0 + LEASE_MS - 1 })).toBe(true);
      expect(await store.nextWorkerWorkAt(T0)).toBe(T0 + 2 * LEASE_MS);
      expect(await store.renewLease({ ...renewed, now: T0 + 2 * LEASE_MS })).toBe(false);
      expect(await store.renewLease({ ...renewed, leaseDigest: "another", now: T0 })).toBe(false);
    });

    test("a task is ended by its lease only while that holds, and the end is like any other", async () => {
      await store.registerCallback(aRegistration());
      const task = await claimed();
      const end = (leaseDigest: string, now: number) =>
        store.finishTask({ id: task.id, outcome: DONE, now, grant: { kind: "lease", leaseDigest } });
      expect(await end("another", T0)).toBeNull();
      expect(await end("digest-1", T0 + LEASE_MS)).toBeNull();
      expect(await end("digest-1", T0)).toMatchObject({ deliveryCount: 1, event: { type: "task_completed" } });
      expect(await end("digest-1", T0)).toBeNull();
      expect(await store.findLease(keyOf(task))).toMatchObject({ lease: "current", task: { status: "completed" } });
      expect(await store.nextWorkerWorkAt(T0)).toBeNull();
    });

    test("a released task waits until it is due, and the lease is found until the next claim", async () => {
      const task = await claimed();
      const released = { ...keyOf(task), dueAt: T0 + 1000, now: T0, hasFailed: false };
      expect(await store.releaseLease(released)).toBe(true);
      expect(await store.releaseLease(released)).toBe(false);
      expect(await store.findLease(keyOf(task))).toMatchObject({ lease: "released", dueAt: T0 + 1000 });
      expect(await store.nextWorkerWorkAt(T0)).toBe(T0 + 1000);
      expect(await claim({ now: T0 + 999 })).toBeNull();
      expect(await claim({ now: T0 + 1000, leaseDigest: "digest-2" })).toMatchObject({ runCount: 2 });
      expect(await store.findLease(keyOf(task))).toMatchObject({ lease: "lost" });
    });

    test("a failed run is counted, and a run that was released or lost its lease is not", async () => {
      const task = await claimed();
      const due = { dueAt: T0, now: T0 };
      expect(await store.releaseLease({ ...keyOf(task), ...due, hasFailed: false })).toBe(true);
      expect(await claim()).toMatchObject({ runCount: 2, failures: 0 });
      expect(await store.releaseLease({ ...keyOf(task), ...due, hasFailed: true })).toBe(true);
      expect(await claim()).toMatchObject({ runCount: 3, failures: 1 });
      const expire = { id: task.id, leaseUntil: T0 + LEASE_MS, dueAt: T0 };
      expect(await store.expireLease({ ...expire, hasFailed: false })).toBe(true);
      expect(await claim()).toMatchObject({ runCount: 4, failures: 1 });
      expect(await store.expireLease({ ...expire, hasFailed: true })).toBe(true);
      expect(await claim()).toMatchObject({ runCount: 5, failures: 2 });
    });

    test("an expired lease is found, and its task is pending again unless the lease was renewed meanwhile", async () => {
      const task = await claimed();
      const leaseUntil = T0 + LEASE_MS;
      expect(await store.expiredLeases({ now: leaseUntil - 1, limit: 10 })).toEqual([]);
      const expired = await store.expiredLeases({ now: leaseUntil, limit: 10 });
      expect(expired).toMatchObject([{ task: { id: task.id }, worker: "w1", leaseUntil }]);
      await store.renewLease({ ...keyOf(task), leaseUntil: leaseUntil + 1, now: T0 });
      const expire = { id: task.id, leaseUntil, dueAt: leaseUntil, hasFailed: false };
      expect(await store.expireLease(expire)).toBe(false);
      expect(await store.expireLease({ ...expire, leaseUntil: leaseUntil + 1 })).toBe(true);
      expect(await store.findLease(keyOf(task))).toMatchObject({ lease: "lost", task: { status: "pending" } });
    });

    test("recoverInterrupted leaves tasks that are done outside as they are, and the leases of workers can be extended", async () => {
      const task = await claimed();
      await startWithUrl("secret", T0 + 10, "task-2");
      expect(await store.recoverInterrupted(T0)).toMatchObject({ tasks: 0 });
      await store.prolongLeases(T0 + 5 * LEASE_MS);
      expect(await store.expiredLeases({ now: T0 + 10, limit: 10 })).toMatchObject([{ task: { taskId: "task-2" } }]);
      const expired = await store.expiredLeases({ now: T0 + 5 * LEASE_MS, limit: 10 });
      expect(expired.map(({ task: { taskId } }) => taskId)).toEqual(["task-2", "task-1"]);
      await store.prolongLeases(T0 + 1);
      expect(await store.renewLease({ ...keyOf(task), leaseUntil: T0, now: T0 + 5 * LEASE_MS - 1 })).toBe(true);
    });

    test("a completion secret ends its task once, while it holds", async () => {
      const { task, hasCompletion } = await startWithUrl("secret", T0 + 10);
      expect([hasCompletion, task]).toMatchObject([true, { status: "running", runCount: 1, startedAt: T0 }]);
      expect(await startWithUrl("second", T0 + 20)).toMatchObject({ kind: "existing", hasCompletion: true });
      const end = (digest: string, now: number) =>
        store.finishTask({ id: task.id, outcome: DONE, now, grant: { kind: "completion", digest } });
      expect(await end("guessed", T0)).toBeNull();
      expect(await end("secret", T0 + 10)).toBeNull();
      expect(await end("second", T0 + 10)).toMatchObject({ event: { type: "task_completed" } });
      expect(await end("second", T0 + 10)).toBeNull();
      expect(await store.findCompletion("second")).toMatchObject({ usedAt: T0 + 10, task: { status: "completed" } });
      expect(await store.findCompletion("secret")).toMatchObject({ usedAt: null, expiresAt: T0 + 10 });
      expect(await store.findCompletion("guessed")).toBeNull();
      expect(await startWithUrl("third", T0 + 30)).toMatchObject({ kind: "existing", hasCompletion: false });
    });

    test("a task waits for its completion as long as one of its secrets holds", async () => {
      const { task } = await startWithUrl("secret", T0 + 20);
      await startWithUrl("second", T0 + 10);
      expect(await store.nextWorkerWorkAt(T0)).toBe(T0 + 20);
      const [expired] = await store.expiredLeases({ now: T0 + 20, limit: 10 });
      expect(expired).toMatchObject({ task: { id: task.id, executor: "completion_url" }, leaseUntil: T0 + 20 });
    });

    test("an expired lease ends a task only if it was not extended", async () => {
      const { task } = await startWithUrl("secret", T0 + 20);
      const outcome = { status: "failed", error: "not completed in time" } as const;
      const end = (leaseUntil: number) =>
        store.finishTask({ id: task.id, outcome, now: T0 + 20, grant: { kind: "expired_lease", leaseUntil } });
      expect(await end(T0 + 10)).toBeNull();
      expect(await end(T0 + 20)).toMatchObject({ event: { type: "task_failed" } });
    });

    test("a task is removed with its completion secrets", async () => {
      const { task } = await startWithUrl("secret", T0 + 20);
      await store.cancelTask({ id: task.id, error: "as asked", now: T0 });
      const { removed } = await store.pruneHistory({ before: T0 + 1, limit: 10, after: null });
      expect(removed).toMatchObject({ tasks: 1 });
      expect(await store.findCompletion("secret")).toBeNull();
    });
  });
}
