import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { EVENT_TYPES } from "../../../src/domain/event.ts";
import type { Task } from "../../../src/domain/task.ts";
import type { ClaimedDelivery } from "../../../src/service/ports/delivery-store.ts";
import type { Notifier } from "../../../src/service/ports/notifier.ts";
import type { QueueName, WorkQueues } from "../../../src/service/ports/work-queue.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import type { OpenedStore } from "../../../src/store/open.ts";
import { A_SECRET, aClaim, aReservation, aRecord, aRegistration, aStart } from "../../support/builders.ts";
import { aSubscription, FAILED_503, HOUR_MS, T0 } from "../../support/builders.ts";

const QUEUES: readonly QueueName[] = ["deliveries", "tasks", "leases", "maintenance"];
const LEASE = { worker: "w1", leaseDigest: "digest-1", leaseUntil: T0 + 60_000, now: T0 };
const PROGRESS = { done: 1, total: null, message: null };
const INTERVAL_MS = 5000;
const RETRY = { status: "pending", nextAttemptAt: T0 + 1000, keepClaim: false } as const;
const GIVEN_UP = { status: "exhausted", disablesCallback: false } as const;

/** A store wakes its queues after each commit that made something due, and publishes the ends and the progress of tasks. Each store runs it. */
export function describeCommits(name: string, open: () => Promise<OpenedStore>): void {
  describe(name, () => {
    let store: Store;
    let queues: WorkQueues;
    let notifier: Notifier;
    let passes: Record<QueueName, number>;
    let duringPass: () => Promise<void>;
    beforeEach(async () => {
      ({ store, queues, notifier } = await open());
      passes = { deliveries: 0, tasks: 0, leases: 0, maintenance: 0 };
      duringPass = async () => {};
      for (const queue of QUEUES) countPasses(queue);
      onTestFinished(async () => {
        await Promise.all(QUEUES.map((queue) => queues[queue].stop()));
        await store.close();
      });
    });

    function countPasses(queue: QueueName): void {
      queues[queue].start(async () => {
        passes[queue]++;
        await duringPass();
        return null;
      });
    }

    /** The queues that `work` woke, and how often each. */
    async function wokenBy(work: () => Promise<unknown>): Promise<Partial<Record<QueueName, number>>> {
      await nextTurn();
      const before = { ...passes };
      await work();
      await nextTurn();
      const woken = QUEUES.filter((queue) => passes[queue] > before[queue]);
      return Object.fromEntries(woken.map((queue) => [queue, passes[queue] - before[queue]]));
    }

    async function runningTask(taskId = "task-1"): Promise<Task> {
      await store.startTask(aStart({ taskId }));
      const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
      return task!;
    }
    const finish = ({ id }: Task) =>
      store.finishTask({ id, outcome: { status: "completed", result: "done" }, now: T0 });
    async function endedTask(taskId = "task-1"): Promise<Task> {
      const task = await runningTask(taskId);
      await finish(task);
      return task;
    }
    async function claimedDelivery(): Promise<ClaimedDelivery> {
      await store.registerCallback(aRegistration());
      await endedTask();
      const [delivery] = await store.claimDueDeliveries(aClaim());
      return delivery!;
    }
    async function givenUpDelivery(): Promise<ClaimedDelivery> {
      const delivery = await claimedDelivery();
      await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step: GIVEN_UP }));
      return delivery;
    }
    async function disabledCallback(): Promise<ClaimedDelivery> {
      const delivery = await claimedDelivery();
      await store.recordAttempt(
        aRecord(delivery, { outcome: FAILED_503, step: RETRY, disablePolicy: { forMs: 0, failuresMin: 1 } }),
      );
      return delivery;
    }
    async function leasedTask(): Promise<{ readonly id: string; readonly leaseDigest: string }> {
      await store.startTask(aStart({ taskType: "external", executor: "worker" }));
      const task = await store.claimWorkerTask({ ...LEASE, types: ["external"] });
      return { id: task!.id, leaseDigest: LEASE.leaseDigest };
    }

    test("the start of a task wakes the runner or the workers, and the same start again wakes nothing", async () => {
      expect(await wokenBy(() => store.startTask(aStart()))).toEqual({ tasks: 1 });
      const later = aStart({ taskId: "later", startAfter: T0 + HOUR_MS });
      expect(await wokenBy(() => store.startTask(later))).toEqual({ tasks: 1 });
      const ofWorker = aStart({ taskId: "outside", taskType: "external", executor: "worker" });
      expect(await wokenBy(() => store.startTask(ofWorker))).toEqual({ leases: 1 });
      const ofUrl = aStart({ taskId: "by URL", taskType: "external", executor: "completion_url" });
      const completion = { digest: "digest", expiresAt: T0 + HOUR_MS };
      expect(await wokenBy(() => store.startTask({ ...ofUrl, completion }))).toEqual({ leases: 1 });
      expect(await wokenBy(() => store.startTask(aStart()))).toEqual({});
    });

    test("a start that finds a task that has ended wakes the deliveries for its new callbacks", async () => {
      await endedTask();
      const { registration, generatedSecret } = aRegistration();
      const callbacks = [{ registration, generatedSecret }];
      expect(await wokenBy(() => store.startTask({ ...aStart(), callbacks }))).toEqual({ deliveries: 1 });
    });

    test("a start that is rolled back wakes nothing", async () => {
      await store.registerCallback(aRegistration({ signingSecret: A_SECRET }));
      const { registration, generatedSecret } = aRegistration({ signingSecret: "whsec_other" });
      const start = { ...aStart({ taskId: "task-1" }), callbacks: [{ registration, generatedSecret }] };
      expect(await wokenBy(() => expect(store.startTask(start)).rejects.toThrow("cannot be registered"))).toEqual({});
      expect(await store.findTask("local", "task-1")).toBeNull();
    });

    test("the claims of the loops wake nothing", async () => {
      await store.startTask(aStart());
      expect(await wokenBy(() => store.claimRunnableTasks({ limit: 1, now: T0 }))).toEqual({});
      const task = await runningTask("task-2");
      await store.registerCallback(aRegistration({ taskId: "task-2" }));
      await finish(task);
      expect(await wokenBy(() => store.claimDueDeliveries(aClaim()))).toEqual({});
      expect(await wokenBy(() => store.expireDeliveries({ now: T0, limit: 10 }))).toEqual({});
    });

    test("a run that is repeated or released wakes the runner, and one that is over wakes nothing", async () => {
      const retried = await runningTask();
      const retry = { id: retried.id, runCount: 1, error: "failed", dueAt: T0 + 1000 };
      expect(await wokenBy(() => store.retryTask(retry))).toEqual({ tasks: 1 });
      expect(await wokenBy(() => store.retryTask(retry))).toEqual({});
      const { id, runCount } = await runningTask("task-2");
      expect(await wokenBy(() => store.releaseTask({ id, runCount }))).toEqual({ tasks: 1 });
      expect(await wokenBy(() => store.releaseTask({ id, runCount }))).toEqual({});
    });

    test("what a kill left behind wakes its queues", async () => {
      expect(await wokenBy(() => store.recoverInterrupted(T0))).toEqual({});
      await claimedDelivery();
      await runningTask("task-2");
      expect(await wokenBy(() => store.recoverInterrupted(T0))).toEqual({ deliveries: 1, tasks: 1 });
    });

    test("an event of progress wakes the deliveries; progress without an event wakes nothing", async () => {
      await store.registerCallback(aRegistration({ events: EVENT_TYPES }));
      const { id, runCount } = await runningTask();
      const record = (done: number) =>
        store.recordProgress({ id, runCount, progress: { ...PROGRESS, done }, now: T0, intervalMs: INTERVAL_MS });
      expect(await wokenBy(() => record(1))).toEqual({ deliveries: 1 });
      expect(await wokenBy(() => record(2))).toEqual({});
      const later = { id, runCount, now: T0 + INTERVAL_MS, intervalMs: INTERVAL_MS };
      expect(await wokenBy(() => store.emitProgressEvent(later))).toEqual({ deliveries: 1 });
      expect(await wokenBy(() => store.emitProgressEvent(later))).toEqual({});
    });

    test.each(["finishTask", "cancelTask"] as const)(
      "%s wakes the deliveries for what has no slot, and for nothing else",
      async (verb) => {
        const end = ({ id }: Task, slots: number) =>
          verb === "finishTask"
            ? store.finishTask({
                id,
                outcome: { status: "failed", error: "no" },
                now: T0,
                reserveSlot: aReservation(slots).reserve,
              })
            : store.cancelTask({ id, error: "no", now: T0, reserveSlot: aReservation(slots).reserve });
        for (const taskId of ["task-1", "task-2"]) await store.registerCallback(aRegistration({ taskId }));
        const [waits, sent, silent] = [await runningTask(), await runningTask("task-2"), await runningTask("task-3")];
        expect(await wokenBy(() => end(waits, 0))).toEqual({ deliveries: 1 });
        expect(await wokenBy(() => end(waits, 0))).toEqual({});
        expect(await wokenBy(() => end(sent, 1))).toEqual({});
        expect(await wokenBy(() => end(silent, 0))).toEqual({});
      },
    );

    test("what is due has been committed when its queue is woken", async () => {
      await store.registerCallback(aRegistration());
      const task = await runningTask();
      const { promise, resolve } = Promise.withResolvers<boolean>();
      await nextTurn();
      duringPass = async () => resolve((await store.nextDeliveryTimes(T0)).anyDue);
      await finish(task);
      expect(await promise).toBe(true);
    });

    test("several commits of one moment wake a queue once", async () => {
      await endedTask();
      const clients = ["a", "b", "c"].map((clientId) => aRegistration({ clientId }));
      const registerAll = () => Promise.all(clients.map((one) => store.registerCallback(one)));
      expect(await wokenBy(registerAll)).toEqual({ deliveries: 1 });
    });

    test("a callback wakes the deliveries when its task has ended with an event that it selected", async () => {
      expect(await wokenBy(() => store.registerCallback(aRegistration()))).toEqual({});
      await endedTask();
      const late = aRegistration({ clientId: "late" });
      expect(await wokenBy(() => store.registerCallback(late))).toEqual({ deliveries: 1 });
      expect(await wokenBy(() => store.registerCallback(late))).toEqual({});
      const ofFailures = aRegistration({ clientId: "failures", events: ["task_failed"] });
      expect(await wokenBy(() => store.registerCallback(ofFailures))).toEqual({});
    });

    test("unregistering wakes nothing", async () => {
      const { callback } = await claimedDelivery();
      const key = { principal: "local", callback: { callbackId: callback.id }, now: T0 };
      expect(await wokenBy(() => store.unregisterCallback(key))).toEqual({});
    });

    test("enabling wakes the deliveries when some waited", async () => {
      const { callback } = await disabledCallback();
      const key = { principal: "local", callbackId: callback.id, now: T0 };
      expect(await wokenBy(() => store.enableCallback(key))).toEqual({ deliveries: 1 });
      expect(await wokenBy(() => store.enableCallback(key))).toEqual({});
    });

    test("redelivery wakes the deliveries, unless nothing is opened", async () => {
      const { deliveryId } = await givenUpDelivery();
      const selection = { deliveryId };
      expect(await wokenBy(() => store.redeliver({ principal: "local", selection, now: T0 }))).toEqual({
        deliveries: 1,
      });
      expect(await wokenBy(() => store.redeliver({ principal: "other", selection, now: T0 }))).toEqual({});
    });

    test("a new secret wakes the deliveries, whose claims it has released", async () => {
      const delivery = await claimedDelivery();
      await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step: { ...RETRY, keepClaim: true } }));
      const rotate = { principal: "local", secret: "whsec_bmV3", overlapMs: 0, now: T0 };
      const callbackId = delivery.callback.id;
      expect(await wokenBy(() => store.rotateSecret({ ...rotate, callbackId }))).toEqual({ deliveries: 1 });
      expect(await wokenBy(() => store.rotateSecret({ ...rotate, callbackId: "cb_none" }))).toEqual({});
    });

    test.each([
      ["delivered", aRecordOf({}), {}],
      ["retried later", aRecordOf({ outcome: FAILED_503, step: RETRY }), { deliveries: 1 }],
      ["retried under its claim", aRecordOf({ outcome: FAILED_503, step: { ...RETRY, keepClaim: true } }), {}],
      ["given up", aRecordOf({ outcome: FAILED_503, step: GIVEN_UP }), {}],
      [
        "held by its failing callback",
        aRecordOf({ outcome: FAILED_503, step: RETRY, disablePolicy: { forMs: 0, failuresMin: 1 } }),
        {},
      ],
    ])("an attempt whose delivery is %s wakes the deliveries if that has a new time", async (_, record, woken) => {
      const delivery = await claimedDelivery();
      expect(await wokenBy(() => store.recordAttempt(record(delivery)))).toEqual(woken);
    });

    test("an attempt during which redelivery was asked for wakes the deliveries", async () => {
      const delivery = await claimedDelivery();
      await store.redeliver({ principal: "local", selection: { deliveryId: delivery.deliveryId }, now: T0 });
      expect(await wokenBy(() => store.recordAttempt(aRecord(delivery)))).toEqual({ deliveries: 1 });
    });

    test("a success that enables a disabled callback again wakes the deliveries that waited", async () => {
      await store.putSubscription(aSubscription({ name: "task_finished" }));
      await endedTask("task-1");
      await endedTask("task-2");
      const [failing, succeeding] = await store.claimDueDeliveries(aClaim());
      const policy = { forMs: 0, failuresMin: 1 };
      await store.recordAttempt(aRecord(failing!, { outcome: FAILED_503, step: RETRY, disablePolicy: policy }));
      expect(await wokenBy(() => store.recordAttempt(aRecord(succeeding!)))).toEqual({ deliveries: 1 });
    });

    test("a claim that is released wakes the deliveries", async () => {
      const delivery = await claimedDelivery();
      expect(await wokenBy(() => store.releaseClaim(delivery, T0 + 1000))).toEqual({ deliveries: 1 });
    });

    test("a lease that begins, moves or ends wakes the workers, and one that does not hold wakes nothing", async () => {
      await store.startTask(aStart({ taskType: "external", executor: "worker" }));
      const claim = () => store.claimWorkerTask({ ...LEASE, types: ["external"] });
      expect(await wokenBy(claim)).toEqual({ leases: 1 });
      expect(await wokenBy(claim)).toEqual({});
      const { id } = (await store.findTask("local", "task-1"))!;
      const key = { id, leaseDigest: LEASE.leaseDigest, now: T0 };
      expect(await wokenBy(() => store.renewLease({ ...key, leaseUntil: T0 + 1000 }))).toEqual({ leases: 1 });
      expect(await wokenBy(() => store.releaseLease({ ...key, dueAt: T0, hasFailed: false }))).toEqual({ leases: 1 });
      expect(await wokenBy(() => store.releaseLease({ ...key, dueAt: T0, hasFailed: false }))).toEqual({});
      expect(await wokenBy(() => store.renewLease({ ...key, leaseUntil: T0 + 1000 }))).toEqual({});
    });

    test("a lease that has expired wakes the workers, and prolonging leases wakes nothing", async () => {
      const { id } = await leasedTask();
      expect(await wokenBy(() => store.prolongLeases(T0 + 120_000))).toEqual({});
      const expire = { id, leaseUntil: T0 + 120_000, dueAt: T0, hasFailed: false };
      expect(await wokenBy(() => store.expireLease(expire))).toEqual({ leases: 1 });
      expect(await wokenBy(() => store.expireLease(expire))).toEqual({});
    });

    test("a subscription wakes the deliveries when it replays events, and at each refresh", async () => {
      expect(await wokenBy(() => store.putSubscription(aSubscription()))).toEqual({});
      await endedTask();
      const replaying = aSubscription({
        url: "https://app.example/replay",
        replay: { afterSeq: 0, notBefore: 0, max: 10 },
      });
      expect(await wokenBy(() => store.putSubscription(replaying))).toEqual({ deliveries: 1 });
      const claimed = await store.claimDueDeliveries(aClaim());
      const first = aSubscription();
      const ofFirst = claimed.find(({ callback }) => callback.subscriptionId === first.id)!;
      await store.recordAttempt(aRecord(ofFirst, { outcome: FAILED_503, step: RETRY }));
      expect(await wokenBy(() => store.putSubscription(first))).toEqual({ deliveries: 1 });
      expect(await wokenBy(() => store.putSubscription(replaying))).toEqual({ deliveries: 1 });
      const [again] = await store.claimDueDeliveries(aClaim({ now: T0 + 1000 }));
      const kept = { ...RETRY, nextAttemptAt: T0 + 2000, keepClaim: true };
      await store.recordAttempt(aRecord(again!, { outcome: FAILED_503, step: kept }));
      // The wait is over, and the claim is not resumed yet: the refresh releases it, and no delivery waits for a later time.
      const atItsEnd = aSubscription({ now: T0 + 2000 });
      expect(await wokenBy(() => store.putSubscription(atItsEnd))).toEqual({ deliveries: 1 });
      expect(await store.continueClaim(again!)).toBe(false);
      const { id } = first;
      expect(await wokenBy(() => store.removeSubscription({ principal: "local", id, now: T0 }))).toEqual({});
    });

    test.each(["finishTask", "cancelTask"] as const)(
      "%s is published once, when the task is read as ended",
      async (verb) => {
        const task = await runningTask();
        const { id } = task;
        const seen: string[] = [];
        const { promise, resolve } = Promise.withResolvers<unknown>();
        notifier.onEndOfTask(id, () => void store.findTaskById("local", id).then((found) => resolve(found?.status)));
        notifier.onEndOfPrincipal("local", () => void seen.push("event of local"));
        notifier.onEndOfPrincipal("other", () => void seen.push("event of other"));
        notifier.onAnyEnd((ended) => void seen.push(ended));
        const end = () => (verb === "finishTask" ? finish(task) : store.cancelTask({ id, error: "no", now: T0 }));
        expect(await end()).toMatchObject({ principal: "local" });
        expect(await end()).toBeNull();
        expect(await promise).toBe(verb === "finishTask" ? "completed" : "cancelled");
        expect(seen.toSorted()).toEqual(["event of local", id].toSorted());
      },
    );

    test("stored progress is published, and that of a run that is over is not", async () => {
      const { id, runCount } = await runningTask();
      let calls = 0;
      notifier.onProgressOf(id, () => void calls++);
      const record = { id, runCount, progress: PROGRESS, now: T0, intervalMs: INTERVAL_MS };
      await store.recordProgress(record);
      await store.recordProgress({ ...record, runCount: runCount + 1 });
      expect(calls).toBe(1);
    });

    test("an end that is rolled back is not published", async () => {
      const { id } = await runningTask();
      let calls = 0;
      notifier.onAnyEnd(() => void calls++);
      const grant = { kind: "completion", digest: "none" } as const;
      const outcome = { status: "completed", result: null } as const;
      expect(await store.finishTask({ id, outcome, now: T0, grant })).toBeNull();
      expect(calls).toBe(0);
    });

    test("maintenance wakes nothing", async () => {
      await endedTask();
      const before = T0 + 1;
      expect(
        await wokenBy(async () => {
          await store.pruneHistory({ before, limit: 10, after: null });
          await store.pruneSubscriptions({ before, now: T0, limit: 10, after: null });
          await store.reencryptSecrets({ limit: 10 });
        }),
      ).toEqual({});
    });
  });
}

function aRecordOf(changes: Parameters<typeof aRecord>[1]) {
  return (delivery: ClaimedDelivery) => aRecord(delivery, changes);
}
