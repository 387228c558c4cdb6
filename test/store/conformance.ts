import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Callback } from "../../src/domain/callback.ts";
import type { PruneHistory, RotateSecret } from "../../src/service/keeping.ts";
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
        const claim = aClaim({ perOrigin: 2, inFlight: new Map([["http://slow.example", 1]]) });
        const hosts = (claimed: readonly ClaimedDelivery[]) =>
          claimed.map(({ origin }) => new URL(origin).hostname).toSorted();
        expect(hosts(await store.claimDueDeliveries({ ...claim, limit: 2 }))).toHaveLength(2);
        const rest = await store.claimDueDeliveries({ ...claim, perOrigin: 9, inFlight: new Map() });
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
        expect(await store.counts()).toEqual({ completedTasks: 1, activeTasks: 0, pendingCallbacks: 0 });
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
        await store.reclaim(T0);
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
          for (let index = 0; index < 1000; index++)
            await store.registerCallback(aRegistration({ taskId, clientId: `c${index}`, events: ["task_failed"] }));
          await complete(await runningTask(taskId));
        }
        const first = await prune();
        expect(first.removed).toMatchObject({ tasks: 2, callbacks: 2000 });
        expect(await prune({ after: first.next })).toMatchObject({ removed: { tasks: 1 }, next: null });
      });

      test("an attempt that comes in for a delivery that is gone is dropped without a word", async () => {
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
        await store.reclaim(T0);
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
        expect(await store.nextDueAt(T0)).toBe(T0 + 100);
        expect(await secretsClaimedAt(T0 + 100)).toEqual([ANOTHER]);
      });

      test("leaves an attempt under way its claim", async () => {
        const delivery = await oneClaimed();
        await rotateTo(delivery.callback.id, ANOTHER);
        expect(await store.recordAttempt(aRecord(delivery))).toMatchObject({ claimHeld: true });
      });
    });

    describe("sealSecrets", () => {
      test("has nothing to do without a key", async () => {
        await store.registerCallback(aRegistration());
        expect(await store.sealSecrets({ limit: 10 })).toEqual({ sealed: 0, unreadable: 0, isDone: true });
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
        taskId: `t${index}`,
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
    });
  });
}
