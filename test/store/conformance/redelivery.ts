import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../../src/service/ports/store.ts";
import { FAILED_503, T0, aClaim, aRecord } from "../../support/builders.ts";
import { EXHAUSTED, FAILED, GONE, createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of redelivery. Each store runs it. */
export function describeRedelivery(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { oneClaimed, onlyDelivery, unregister, redeliverOne, exhausted } = createSteps(() => store);

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
          expect(await store.recordAttempt(aRecord(again!))).toEqual({ claimWasCurrent: true, eventSettled: true });
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
        expect(await store.continueClaim(claimed)).toBe(false);
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
        expect(recorded).toEqual({ claimWasCurrent: true, eventSettled: false, isDueAgain: true });
        const [again] = await store.claimDueDeliveries(aClaim({ now: T0 + 12 }));
        expect(again).toMatchObject({ attemptCount: 1, attemptsBefore: 1 });
        await store.recordAttempt(aRecord(again!));
        expect(await store.claimDueDeliveries(aClaim({ now: T0 + 1e9 }))).toEqual([]);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "delivered", attemptCount: 2 });
      });

      test("one whose sender died is sent once: that is later than it was asked for", async () => {
        const claimed = await oneClaimed();
        await redeliverOne(claimed.deliveryId);
        await store.recoverInterrupted(T0 + 1);
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
  });
}
