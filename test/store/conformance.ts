import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { ClaimedDelivery, Store } from "../../src/service/ports.ts";
import type { Task } from "../../src/domain/task.ts";
import { A_SECRET, aClaim, aRecord, aRegistration, aStart, FAILED_503, T0 } from "../support/builders.ts";

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
        for (let index = 0; index < 1000; index++)
          await store.registerCallback(aRegistration({ clientId: `client-${index}` }));
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

      test("a second start finds the first", async () => {
        const first = await store.startTask(aStart());
        const second = await store.startTask(aStart({ clientId: "another", now: T0 + 1 }));
        expect(second).toEqual({ ...first, kind: "existing" });
      });

      test("two principals with one task_id never notice each other", async () => {
        await store.registerCallback(aRegistration({ principal: "ann" }));
        await complete(await runningTask("task-1", "bob"));
        expect(await store.findTask("ann", "task-1")).toBeNull();
        expect(await store.deliveryHistory("bob", "task-1")).toEqual([]);
        expect(await store.claimDueDeliveries(aClaim())).toEqual([]);
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

      test("finishing writes the task, the event and one delivery for each callback that selected it", async () => {
        await store.registerCallback(aRegistration({ clientId: "all" }));
        await store.registerCallback(aRegistration({ clientId: "failures", events: ["task_failed"] }));
        const result = await complete(await runningTask(), T0 + 7);
        expect(result).toMatchObject({
          deliveryCount: 1,
          event: {
            type: "task_completed",
            occurredAt: T0 + 7,
            data: { task_id: "task-1", started_by: "starter", result: "done" },
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

    describe("deliveries", () => {
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

      test("a full origin does not stand in the way of the others", async () => {
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

      test("an origin without room does not hide the others, however much of it is due", async () => {
        for (let index = 0; index < 200; index++) {
          await store.registerCallback(aRegistration({ clientId: `c${index}`, url: "http://dead.example/" }));
        }
        await complete(await runningTask());
        for (const [index, host] of ["late", "later"].entries()) {
          const taskId = `task-${host}`;
          await store.registerCallback(aRegistration({ taskId, url: `http://${host}.example/` }));
          await complete(await runningTask(taskId), T0 + 1 + index);
        }
        const roomOf = new Map([["http://dead.example", 0]]);
        const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 9, limit: 10, roomOf }));
        expect(claimed.map(({ origin }) => origin)).toEqual(["http://late.example", "http://later.example"]);
      });

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
        await store.reclaim(T0);
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
        expect(await store.nextDueAt(T0)).toBe(T0 + 5000);
        expect(await store.nextDueAt(T0 + 5000)).toBeNull();
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
        await store.reclaim(T0);
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

      test("a receiver that is gone disables its callback and withdraws what else it was owed", async () => {
        const delivery = await oneClaimed();
        const gone = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
        await store.recordAttempt(
          aRecord(delivery, { outcome: gone, step: { status: "exhausted", disablesCallback: true } }),
        );
        const { callback, delivery: after } = await onlyDelivery();
        expect([callback.status, after.status]).toEqual(["disabled", "exhausted"]);
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0 });
      });
    });

    describe("expireDeliveries", () => {
      const EXPIRY = T0 + 5000;
      const expire = (now: number, limit = 10) => store.expireDeliveries({ now, limit });

      async function twoCallbacks() {
        await store.registerCallback(aRegistration({ clientId: "expiring", notAfter: EXPIRY }));
        await store.registerCallback(aRegistration({ clientId: "patient" }));
        await complete(await runningTask());
      }

      async function deliveryOf(clientId: string) {
        const history = await store.deliveryHistory("local", "task-1");
        return history.find(({ callback }) => callback.clientId === clientId)!.deliveries[0]!;
      }

      test("ends a pending delivery from its not_after on, without an attempt, and leaves the others", async () => {
        await twoCallbacks();
        expect(await expire(EXPIRY - 1)).toEqual([]);
        const { id, eventId } = await deliveryOf("expiring");
        expect(await expire(EXPIRY)).toEqual([
          {
            deliveryId: id,
            eventId,
            taskId: "task-1",
            clientId: "expiring",
            url: "http://receiver.example/hook",
            attemptCount: 0,
            eventSettled: false,
          },
        ]);
        expect(await deliveryOf("expiring")).toMatchObject({
          status: "exhausted",
          reason: "not_after",
          nextAttemptAt: null,
          attempts: [],
        });
        expect(await deliveryOf("patient")).toMatchObject({ status: "pending", reason: null });
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

      test("is not beaten by a claim: what has expired is not claimed", async () => {
        await twoCallbacks();
        const claimed = await store.claimDueDeliveries(aClaim({ now: EXPIRY }));
        expect(claimed.map(({ callback }) => callback.clientId)).toEqual(["patient"]);
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
        await store.reclaim(EXPIRY + 1);
        expect(await store.claimDueDeliveries(aClaim({ now: EXPIRY + 1 }))).toEqual([]);
        expect(await expire(EXPIRY + 1)).toMatchObject([{ attemptCount: 0, eventSettled: true }]);
      });

      test("keeps to its limit, the longest expired first, and marks the one that settles the event", async () => {
        for (const [index, clientId] of ["c", "a", "b"].entries())
          await store.registerCallback(aRegistration({ clientId, notAfter: EXPIRY + index }));
        await complete(await runningTask());
        const told = (await expire(T0 + 1e6, 2)).map(({ clientId, eventSettled }) => [clientId, eventSettled]);
        expect(told).toEqual([
          ["c", false],
          ["a", false],
        ]);
        expect(await expire(T0 + 1e6, 2)).toMatchObject([{ clientId: "b", eventSettled: true }]);
      });

      test("has its time among those that nextDueAt tells, also of deliveries that are due already", async () => {
        await twoCallbacks();
        expect(await store.nextDueAt(T0)).toBe(EXPIRY);
        expect(await store.nextDueAt(EXPIRY)).toBeNull();
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

    describe("reclaim", () => {
      test("brings back running tasks and claimed deliveries, attempts kept, waits kept", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 900, keepClaim: true } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        await runningTask("task-2");
        expect(await store.reclaim(T0 + 1)).toEqual({ tasks: 1, deliveries: 1 });
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 900,
          attemptCount: 1,
        });
        expect(await store.claimRunnableTasks({ limit: 5, now: T0 })).toMatchObject([
          { taskId: "task-2", runCount: 2 },
        ]);
        expect(await store.reclaim(T0 + 2)).toEqual({ tasks: 1, deliveries: 0 });
      });

      test("makes a delivery whose attempt was cut off due at once", async () => {
        await oneClaimed();
        await store.reclaim(T0 + 3);
        expect((await onlyDelivery()).delivery).toMatchObject({
          status: "pending",
          nextAttemptAt: T0 + 3,
          attemptCount: 0,
        });
      });
    });

    describe("counts", () => {
      test("follow tasks and owed callbacks through their life", async () => {
        expect(await store.counts()).toEqual({ completedTasks: 0, activeTasks: 0, pendingCallbacks: 0 });
        await store.registerCallback(aRegistration());
        await store.registerCallback(aRegistration({ clientId: "failures", events: ["task_failed"] }));
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 2 });
        const task = await runningTask();
        expect(await store.counts()).toMatchObject({ activeTasks: 1 });
        await complete(task);
        expect(await store.counts()).toEqual({ completedTasks: 1, activeTasks: 0, pendingCallbacks: 1 });
        const [delivery] = await store.claimDueDeliveries(aClaim());
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 1 });
        await store.recordAttempt(aRecord(delivery!));
        expect(await store.counts()).toEqual({ completedTasks: 1, activeTasks: 0, pendingCallbacks: 0 });
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
