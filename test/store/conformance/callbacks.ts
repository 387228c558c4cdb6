import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../../src/service/ports/store.ts";
import { A_SECRET, FAILED_503, T0, aClaim, aRecord, aRegistration } from "../../support/builders.ts";
import { GONE, createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of withdrawing and enabling callbacks. Each store runs it. */
export function describeCallbacks(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, registerMany, oneClaimed, onlyDelivery, unregister, redeliverOne, enable } =
      createSteps(() => store);

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
        expect(await store.continueClaim(delivery)).toBe(false);
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
        expect(await store.recordAttempt(aRecord(delivery))).toEqual({ claimWasCurrent: false, eventSettled: false });
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
  });
}
