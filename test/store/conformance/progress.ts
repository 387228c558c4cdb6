import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { END_TYPES, EVENT_TYPES } from "../../../src/domain/event.ts";
import type { Task } from "../../../src/domain/task.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import {
  A_SECRET,
  aClaim,
  aRecord,
  aRegistration,
  aStart,
  aSubscription,
  FAILED_503,
  T0,
} from "../../support/builders.ts";
import type { OpenStore } from "./setup.ts";

const INTERVAL_MS = 5000;
const DONE = { status: "completed", result: "done" } as const;
const PARKED = { status: "pending", nextAttemptAt: T0 + 60_000, keepClaim: false } as const;
const KEPT = { status: "pending", nextAttemptAt: T0 + 1000, keepClaim: true } as const;

/** What the Store port promises of progress as an event. Each store runs it. */
export function describeProgress(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    let task: Task;
    beforeEach(async () => {
      store = await open();
      onTestFinished(() => store.close());
      await store.startTask(aStart());
      task = (await store.claimRunnableTasks({ limit: 1, now: T0 }))[0]!;
    });

    const register = (changes: Parameters<typeof aRegistration>[0] = {}) =>
      store.registerCallback(aRegistration({ events: EVENT_TYPES, ...changes }));
    const progressOf = (done: number) => ({ done, total: 100, message: null });
    const record = (done: number, now = T0) =>
      store.recordProgress({ id: task.id, runCount: 1, progress: progressOf(done), now, intervalMs: INTERVAL_MS });
    const emit = (now: number) => store.emitProgressEvent({ id: task.id, runCount: 1, now, intervalMs: INTERVAL_MS });
    const finish = (now = T0) => store.finishTask({ id: task.id, outcome: DONE, now });
    const claim = (now = T0) => store.claimDueDeliveries(aClaim({ now }));
    /** By name: those of the same millisecond come in any order. */
    async function historyOf(clientId: string) {
      const all = await store.deliveryHistory("local", "task-1");
      return all.find(({ callback }) => callback.clientId === clientId)!;
    }
    const deliveries = async (clientId = "client-1") => (await historyOf(clientId)).deliveries;
    const states = async () => (await deliveries()).map(({ event, status, reason }) => [event, status, reason]);

    test("goes as an event to the callbacks that select it, and to no other", async () => {
      await register();
      await register({ clientId: "ends-only", events: END_TYPES });
      expect(await record(7)).toEqual({ deliveryCount: 1, dueAt: null });
      const [claimed, ...others] = await claim();
      expect(others).toEqual([]);
      expect(claimed).toMatchObject({
        callback: { clientId: "client-1" },
        event: {
          type: "task_progress",
          occurredAt: T0,
          data: { task_id: "task-1", started_by: "starter", status: "running", sequence: 1, progress: progressOf(7) },
        },
      });
      expect(await deliveries("ends-only")).toEqual([]);
    });

    test("is only stored when no callback selects it", async () => {
      await register({ events: END_TYPES });
      expect(await record(7)).toEqual({ deliveryCount: 0, dueAt: null });
      expect(await store.findTask("local", "task-1")).toMatchObject({ progress: progressOf(7), progressAt: T0 });
      await record(8, T0 + 5);
      const { tasks } = await store.listTasks({ principal: "local", before: null, limit: 1 });
      expect(tasks).toMatchObject([{ progress: progressOf(8), progressAt: T0 + 5 }]);
      expect((await finish())?.event.data.sequence).toBe(1);
    });

    test("is an event at most once in the interval; the newest becomes an event when its time comes, and once", async () => {
      await register();
      await record(1);
      expect(await record(2, T0 + 10)).toEqual({ deliveryCount: 0, dueAt: T0 + INTERVAL_MS });
      expect(await record(3, T0 + 20)).toEqual({ deliveryCount: 0, dueAt: T0 + INTERVAL_MS });
      expect(await emit(T0 + INTERVAL_MS - 1)).toEqual({ deliveryCount: 0, dueAt: T0 + INTERVAL_MS });
      expect(await emit(T0 + INTERVAL_MS)).toEqual({ deliveryCount: 1, dueAt: null });
      expect(await emit(T0 + 9 * INTERVAL_MS)).toEqual({ deliveryCount: 0, dueAt: null });
      expect(await record(3, T0 + 9 * INTERVAL_MS)).toEqual({ deliveryCount: 0, dueAt: null });
      const [claimed] = await claim(T0 + INTERVAL_MS);
      expect(claimed!.event.data).toMatchObject({ sequence: 2, progress: { done: 3 } });
    });

    test("after the clock was set back, an event in the future delays none", async () => {
      await register();
      await record(1, T0 + 3_600_000);
      expect(await record(2)).toEqual({ deliveryCount: 1, dueAt: null });
    });

    test("belongs to the run that is under way, and to none that is over", async () => {
      await register();
      const run = { id: task.id, runCount: 2, now: T0, intervalMs: INTERVAL_MS };
      expect(await store.recordProgress({ ...run, progress: progressOf(1) })).toBeNull();
      expect(await store.emitProgressEvent(run)).toBeNull();
      expect(await emit(T0)).toEqual({ deliveryCount: 0, dueAt: null });
      await finish();
      expect(await record(1)).toBeNull();
      expect(await emit(T0)).toBeNull();
      expect(await states()).toEqual([["task_completed", "pending", null]]);
    });

    test.each([
      ["waits for its first attempt", null],
      ["waits for a retry", PARKED],
      ["keeps its claim over a short wait", KEPT],
    ] as const)("a delivery that %s is cancelled by newer progress, and by the end", async (_, step) => {
      await register();
      for (const [done, now] of [
        [1, T0],
        [2, T0 + INTERVAL_MS],
      ] as const) {
        await record(done, now);
        if (step !== null) {
          const [claimed] = await claim(now);
          await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step }));
        }
      }
      expect(await states()).toEqual([
        ["task_progress", "cancelled", "superseded"],
        ["task_progress", "pending", null],
      ]);
      await finish(T0 + INTERVAL_MS);
      expect(await states()).toEqual([
        ["task_progress", "cancelled", "superseded"],
        ["task_progress", "cancelled", "superseded"],
        ["task_completed", "pending", null],
      ]);
      const due = await claim(T0 + 3_600_000);
      expect(due.map(({ event }) => event.type)).toEqual(["task_completed"]);
      expect(due[0]!.event.data.sequence).toBe(3);
    });

    test("one that is being sent ends with its attempt: delivered, or without a further one", async () => {
      await register();
      await register({ clientId: "fails" });
      await record(1);
      const claimed = await claim();
      const [works, fails] = ["client-1", "fails"].map((id) =>
        claimed.find(({ callback }) => callback.clientId === id)!,
      );
      await finish(T0 + 1);
      expect((await deliveries())[0]).toMatchObject({ status: "sending" });
      expect(await store.recordAttempt(aRecord(works!))).toEqual({ claimWasCurrent: true, eventSettled: false });
      expect(await store.recordAttempt(aRecord(fails!, { outcome: FAILED_503, step: KEPT }))).toEqual({
        claimWasCurrent: false,
        eventSettled: false,
      });
      expect((await deliveries())[0]).toMatchObject({ status: "delivered", reason: null, attemptCount: 1 });
      expect((await deliveries("fails"))[0]).toMatchObject({
        status: "cancelled",
        reason: "superseded",
        nextAttemptAt: null,
        attempts: [{ statusCode: 503 }],
      });
      expect((await historyOf("fails")).callback.health.failures).toBe(1);
    });

    test("one that a dead process was sending, or whose claim was released, is not sent after it was superseded", async () => {
      await register();
      await register({ clientId: "client-2" });
      await record(1);
      const [first] = await claim();
      await finish();
      await store.releaseClaim(first!, T0 + 5);
      await store.recoverInterrupted(T0 + 10);
      expect((await claim(T0 + 10)).map(({ event }) => event.type)).toEqual(["task_completed", "task_completed"]);
      for (const clientId of ["client-1", "client-2"])
        expect((await deliveries(clientId))[0]).toMatchObject({ status: "cancelled", reason: "superseded" });
    });

    test("one that a dead process was sending is sent again while it is the newest", async () => {
      await register();
      await record(1);
      await claim();
      await store.recoverInterrupted(T0 + 10);
      expect(await claim(T0 + 10)).toMatchObject([{ event: { type: "task_progress" } }]);
    });

    test("changes nothing for the end: the callback waits for it before and after", async () => {
      await register();
      await record(1);
      const [claimed] = await claim();
      await store.recordAttempt(aRecord(claimed!));
      expect(await store.counts()).toMatchObject({ pendingCallbacks: 1, activeTasks: 1, completedTasks: 0 });
      expect(await finish()).toMatchObject({ deliveryCount: 1, event: { data: { sequence: 2 } } });
    });

    test("a callback that is registered after an event of progress gets the end when it comes, and not before", async () => {
      await register();
      await record(1);
      expect(await register({ clientId: "during" })).toMatchObject({ kind: "registered", ended: null });
      expect(await deliveries("during")).toEqual([]);
      await finish();
      expect(await register({ clientId: "after" })).toMatchObject({ ended: "task_completed" });
      expect((await deliveries("after")).map(({ event }) => event)).toEqual(["task_completed"]);
    });

    test("goes to no callback that is removed, disabled or expired", async () => {
      await register({ notAfter: T0 + 5 });
      await register({ clientId: "gone" });
      await register({ clientId: "left", url: "http://receiver.example/left" });
      await record(1, T0 + 4);
      const gone = (await claim(T0 + 4)).find(({ callback }) => callback.clientId === "gone")!;
      const answer = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
      const step = { status: "exhausted", disablesCallback: true } as const;
      await store.recordAttempt(aRecord(gone, { outcome: answer, step }));
      const left = { taskId: "task-1", clientId: "left", url: "http://receiver.example/left" };
      await store.unregisterCallback({ principal: "local", callback: left, now: T0 + 4 });
      expect(await record(2, T0 + INTERVAL_MS + 4)).toEqual({ deliveryCount: 0, dueAt: null });
    });

    test("a callback that was disabled permanently before the end does not wait for the end once it is enabled", async () => {
      await register();
      await record(1);
      const [claimed] = await claim();
      const answer = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
      const step = { status: "exhausted", disablesCallback: true } as const;
      await store.recordAttempt(aRecord(claimed!, { outcome: answer, step }));
      expect(await finish()).toMatchObject({ deliveryCount: 0 });
      const callbackId = (await historyOf("client-1")).callback.id;
      await store.enableCallback({ principal: "local", callbackId, now: T0 });
      expect(await store.counts()).toMatchObject({ pendingCallbacks: 0 });
    });

    test("only the newest ten are in the history, however long the task goes on", async () => {
      await register();
      for (let index = 1; index <= 13; index++) {
        await record(index, T0 + index * INTERVAL_MS);
        const [claimed] = await claim(T0 + index * INTERVAL_MS);
        await store.recordAttempt(aRecord(claimed!));
      }
      expect(await deliveries()).toHaveLength(10);
      expect((await finish(T0 + 14 * INTERVAL_MS))?.event.data.sequence).toBe(14);
    });

    test("one that is still being sent stays in the history until its attempt is over", async () => {
      await register();
      const slow: string[] = [];
      for (let index = 1; index <= 12; index++) {
        await record(index, T0 + index * INTERVAL_MS);
        const [claimed] = await claim(T0 + index * INTERVAL_MS);
        if (index === 1) slow.push(claimed!.deliveryId);
        else await store.recordAttempt(aRecord(claimed!));
      }
      expect((await deliveries()).map(({ id }) => id)).toContain(slow[0]);
    });

    test("is not redelivered: one by one it is refused, and of all of them it is passed over", async () => {
      await register();
      await record(1);
      await finish();
      const [progress] = await deliveries();
      const now = T0 + 1;
      const one = { deliveryId: progress!.id };
      expect(await store.redeliver({ principal: "local", selection: one, now })).toMatchObject({ why: "progress" });
      const all = { taskId: "task-1", statuses: null, since: null, after: null, limit: 100 };
      const [, end] = await deliveries();
      expect(await store.redeliver({ principal: "local", selection: all, now })).toMatchObject({
        kind: "redelivered",
        deliveryIds: [end!.id],
        passedOver: 0,
      });
      expect((await deliveries())[0]).toMatchObject({ status: "cancelled" });
    });

    test("subscriptions of MCP Events get ends only, and the log that is polled has no progress", async () => {
      await store.putSubscription(aSubscription({ name: "task_finished", secret: A_SECRET }));
      await register();
      const before = await store.lastEventSeq();
      await record(1);
      await finish();
      const claimed = await claim();
      expect(claimed.map(({ callback, event }) => `${callback.eventName} ${event.type}`).toSorted()).toEqual([
        "null task_completed",
        "task_finished task_completed",
      ]);
      const query = { principal: "local", types: END_TYPES, taskId: null, notBefore: 0, newest: null };
      const page = await store.eventsAfter({ ...query, afterSeq: before, limit: 1 });
      expect(page).toMatchObject({ events: [{ event: { type: "task_completed" } }], hasMore: false, hasLost: false });
    });

    test("goes with its task when retention removes that", async () => {
      await register();
      await record(1);
      await finish();
      for (const claimed of await claim()) await store.recordAttempt(aRecord(claimed));
      const { removed } = await store.pruneHistory({ before: T0 + 86_400_000, limit: 10, after: null });
      expect(removed).toEqual({ tasks: 1, callbacks: 1, events: 2, deliveries: 2, attempts: 1 });
    });
  });
}
