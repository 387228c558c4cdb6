import { beforeEach, describe, expect, test } from "vitest";
import type { ClaimedDelivery } from "../../../src/service/ports/delivery-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import { FAILED_503, T0, aClaim, aRecord, aRegistration } from "../../support/builders.ts";
import { EXHAUSTED, createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of callbacks that fail. Each store runs it. */
export function describeCallbackHealth(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, oneClaimed, onlyDelivery, unregister, redeliverOne, enable } = createSteps(
      () => store,
    );

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

      test("an attempt in flight that is answered with 410 meanwhile makes the reason gone", async () => {
        await store.registerCallback(aRegistration({ events: ["task_progress", "task_completed"] }));
        const { id } = await runningTask();
        const report = (done: number, now: number) => {
          const progress = { done, total: null, message: null };
          return store.recordProgress({ id, runCount: 1, progress, now, intervalMs: 1000 });
        };
        await report(1, T0);
        const [first] = await store.claimDueDeliveries(aClaim());
        await report(2, T0 + 2000);
        const [second] = await store.claimDueDeliveries(aClaim({ now: T0 + 2000 }));
        await store.recordAttempt(aRecord(second!, { outcome: FAILED_503, step: PARKED, disablePolicy: AT_ONCE }));
        const outcome = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
        const step = { status: "exhausted", disablesCallback: true } as const;
        const recorded = await store.recordAttempt(aRecord(first!, { outcome, step, disablePolicy: AT_ONCE }));
        expect(recorded.callbackChange).toMatchObject({ status: "disabled", reason: "gone" });
        const [entry] = await store.deliveryHistory("local", "task-1");
        expect(entry!.callback).toMatchObject({ status: "disabled", health: { disabledReason: "gone" } });
      });

      test.each([
        ["parked", PARKED],
        ["kept by its claim over a near wait", NEAR],
      ])("is disabled, and its retry, that was to be %s, is held", async (_, step) => {
        const claimed = await oneClaimed();
        const failed = { outcome: FAILED_503, step, disablePolicy: AT_ONCE };
        expect(await store.recordAttempt(aRecord(claimed, failed))).toEqual({
          claimWasCurrent: true,
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
        expect(await store.continueClaim(claimed)).toBe(false);
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
        expect(await store.recoverInterrupted(T0 + 1e9)).toEqual({ tasks: 0, deliveries: 0 });
        const { removed } = await store.pruneHistory({ before: T0 + 1e12, limit: 9, after: null });
        expect(removed.tasks).toBe(0);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "pending", nextAttemptAt: null });
      });

      test("does not delay other callbacks at its origin", async () => {
        await disabled();
        await store.registerCallback(aRegistration({ taskId: "task-2" }));
        await complete(await runningTask("task-2"));
        const freeSlotsByKey = new Map([["http://full.example", 0]]);
        expect(await store.claimDueDeliveries(aClaim({ freeSlotsByKey, perOrigin: 1 }))).toMatchObject([
          { event: { data: { task_id: "task-2" } } },
        ]);
      });
    });
  });
}
