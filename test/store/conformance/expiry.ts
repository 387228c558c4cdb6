import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../../src/service/ports/store.ts";
import { FAILED_503, T0, aClaim, aRecord, aRegistration } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of deliveries that expire. Each store runs it. */
export function describeExpiry(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, onlyDelivery } = createSteps(() => store);

    describe("expireDeliveries", () => {
      const EXPIRY = T0 + 5000;
      const expire = (now: number, limit = 10) => store.expireDeliveries({ now, limit });

      async function twoCallbacks() {
        await store.registerCallback(aRegistration({ clientId: "expiring", notAfter: EXPIRY }));
        await store.registerCallback(aRegistration({ clientId: "lasting" }));
        await complete(await runningTask());
      }

      async function deliveryOf(clientId: string) {
        const history = await store.deliveryHistory("local", "task-1");
        return history.find(({ callback }) => callback.clientId === clientId)!.deliveries[0]!;
      }

      test("ends as many as asked for, also when some of them are cancelled in the same commit", async () => {
        for (const clientId of ["a", "b", "c"])
          await store.registerCallback(aRegistration({ clientId, notAfter: EXPIRY }));
        await complete(await runningTask());
        const history = await store.deliveryHistory("local", "task-1");
        const unregisterAll = history
          .slice(0, 2)
          .map(({ callback: { id } }) =>
            store.unregisterCallback({ principal: "local", callback: { callbackId: id }, now: EXPIRY }),
          );
        expect(await expire(EXPIRY, 1)).toHaveLength(1);
        await Promise.all(unregisterAll);
      });

      test("ends a pending delivery from its not_after on, without an attempt, and no other delivery", async () => {
        await twoCallbacks();
        expect(await expire(EXPIRY - 1)).toEqual([]);
        const { id, eventId } = await deliveryOf("expiring");
        expect(await expire(EXPIRY)).toEqual([
          {
            principal: "local",
            deliveryId: id,
            callbackId: expect.any(String),
            event: "task_completed",
            eventId,
            taskId: "task-1",
            clientId: "expiring",
            url: "http://receiver.example/hook",
            attemptCount: 0,
            reason: "not_after",
            eventSettled: false,
          },
        ]);
        expect(await deliveryOf("expiring")).toMatchObject({
          status: "exhausted",
          reason: "not_after",
          nextAttemptAt: null,
          attempts: [],
        });
        expect(await deliveryOf("lasting")).toMatchObject({ status: "pending", reason: null });
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

      test("comes before a claim: an expired delivery is not claimed", async () => {
        await twoCallbacks();
        const claimed = await store.claimDueDeliveries(aClaim({ now: EXPIRY }));
        expect(claimed.map(({ callback }) => callback.clientId)).toEqual(["lasting"]);
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
        await store.recoverInterrupted(EXPIRY + 1);
        expect(await store.claimDueDeliveries(aClaim({ now: EXPIRY + 1 }))).toEqual([]);
        expect(await expire(EXPIRY + 1)).toMatchObject([{ attemptCount: 0, eventSettled: true }]);
      });

      test("keeps to its limit, the longest expired first, and marks the one that settles the event", async () => {
        for (const [index, clientId] of ["c", "a", "b"].entries())
          await store.registerCallback(aRegistration({ clientId, notAfter: EXPIRY + index }));
        await complete(await runningTask());
        const ended = (await expire(T0 + 1e6, 2)).map(({ clientId, eventSettled }) => [clientId, eventSettled]);
        expect(ended).toEqual([
          ["c", false],
          ["a", false],
        ]);
        expect(await expire(T0 + 1e6, 2)).toMatchObject([{ clientId: "b", eventSettled: true }]);
      });

      test("is among the next delivery times, also for deliveries that are due already", async () => {
        await twoCallbacks();
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: true, nextAt: EXPIRY });
        expect(await store.nextDeliveryTimes(EXPIRY)).toEqual({ anyDue: true, nextAt: null });
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
  });
}
