import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { held, resumed, shownStatus, withdrawn } from "../../../src/domain/delivery-state.ts";
import type { DeliveryState } from "../../../src/domain/delivery-state.ts";
import type { DeliveryStatus } from "../../../src/domain/delivery.ts";
import { isExpired } from "../../../src/domain/not-after.ts";
import { isLive } from "../../../src/domain/subscription.ts";
import type { ClaimedDelivery } from "../../../src/service/ports/delivery-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import { aClaim, aRecord, aRegistration, aStart, aSubscription, FAILED_503, T0 } from "../../support/builders.ts";
import type { OpenStore } from "./setup.ts";

const LATER = T0 + 60_000;
const NOW = T0 + 500;
const EXHAUSTED = { status: "exhausted", disablesCallback: false } as const;
const SUBSCRIPTION = aSubscription({ name: "task_finished", expiresAt: null });

const aState = (changes: Partial<DeliveryState>): DeliveryState => ({
  status: "pending",
  claim: 1,
  attemptCount: 1,
  attemptsBefore: 0,
  nextAttemptAt: null,
  sendAgain: false,
  notAfter: null,
  reason: null,
  settledAt: null,
  ...changes,
});

/** One delivery in each open state, by the name of its task. */
const OPEN: Readonly<Record<string, DeliveryState>> = {
  due: aState({ attemptCount: 0, nextAttemptAt: T0 }),
  waiting: aState({ nextAttemptAt: LATER }),
  kept: aState({ status: "sending", nextAttemptAt: LATER }),
  sending: aState({ status: "sending", attemptCount: 0 }),
};

/** Where a store changes many deliveries by one statement, each of them is as the rule of the domain has it. Each store runs it. */
export function describeBulkChanges(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    let claimed: ReadonlyMap<unknown, ClaimedDelivery>;
    beforeEach(async () => {
      store = await open();
      onTestFinished(() => store.close());
      await store.putSubscription(SUBSCRIPTION);
      claimed = await claimEnds([...Object.keys(OPEN), "failing"]);
      await store.releaseClaim(claimed.get("due")!, T0);
      await fail("waiting", false);
      await fail("kept", true);
    });

    async function claimEnds(taskIds: readonly string[]) {
      for (const taskId of taskIds) {
        await store.startTask(aStart({ taskId }));
        const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
        await store.finishTask({ id: task!.id, outcome: { status: "completed", result: taskId }, now: T0 });
      }
      const deliveries = await store.claimDueDeliveries(aClaim());
      return new Map(deliveries.map((delivery) => [delivery.event.data.task_id, delivery]));
    }

    const fail = (taskId: string, keepClaim: boolean) =>
      store.recordAttempt(
        aRecord(claimed.get(taskId)!, {
          outcome: FAILED_503,
          step: { status: "pending", nextAttemptAt: LATER, keepClaim },
        }),
      );
    const disable = () =>
      store.recordAttempt(
        aRecord(claimed.get("failing")!, {
          outcome: FAILED_503,
          step: EXHAUSTED,
          disablePolicy: { forMs: 0, failuresMin: 1 },
        }),
      );

    /** The same parts of each delivery, as a reader sees them: of the store's, and of those that the rule has changed. */
    async function shown() {
      const page = { after: null, limit: 1, deliveries: 10, now: NOW };
      const [subscription] = await store.listSubscriptions("local", page);
      const byId = new Map(subscription!.deliveries.map((delivery) => [delivery.id, delivery]));
      return Object.fromEntries(
        Object.keys(OPEN).map((taskId) => {
          const { status, nextAttemptAt, reason, attemptCount } = byId.get(claimed.get(taskId)!.deliveryId)!;
          return [taskId, { status, nextAttemptAt, reason, attemptCount }];
        }),
      );
    }
    const asShown = (rule: (state: DeliveryState) => DeliveryState) =>
      Object.fromEntries(
        Object.entries(OPEN).map(([taskId, before]) => {
          const state = rule(before);
          const { nextAttemptAt, reason, attemptCount } = state;
          return [taskId, { status: shownStatus(state), nextAttemptAt, reason, attemptCount }];
        }),
      );

    test("the states that the rules are compared in are those of the store", async () => {
      expect(await shown()).toEqual(asShown((state) => state));
    });

    test("withdrawn: when a subscription is removed", async () => {
      await store.removeSubscription({ principal: "local", id: SUBSCRIPTION.id, now: NOW });
      expect(await shown()).toEqual(asShown((state) => withdrawn(state, NOW, null)));
    });

    test("held: when attempts have disabled the callback", async () => {
      expect(await disable()).toMatchObject({ callbackChange: { status: "disabled", heldCount: 3 } });
      expect(await shown()).toEqual(asShown(held));
    });

    test("resumed: when the callback is enabled again", async () => {
      await disable();
      await store.putSubscription({ ...SUBSCRIPTION, now: NOW });
      expect(await shown()).toEqual(asShown((state) => resumed(held(state), NOW)));
    });

    test.each(["pending", "sending"] as const)("shownStatus: a filter for %s", async (status: DeliveryStatus) => {
      const callback = { principal: "local", selection: { callbackId: claimed.get("due")!.callback.id }, now: NOW };
      const selection = { ...callback.selection, statuses: [status], since: null, after: null, limit: 10 };
      const redelivered = await store.redeliver({ ...callback, selection });
      const tasks = Object.keys(OPEN).filter((taskId) => shownStatus(OPEN[taskId]!) === status);
      const ids = tasks.map((taskId) => claimed.get(taskId)!.deliveryId);
      const wanted = status === "sending" ? [...ids, claimed.get("failing")!.deliveryId] : ids;
      expect(redelivered).toMatchObject({ kind: "redelivered", deliveryIds: expect.arrayContaining(wanted) });
      expect((redelivered as { deliveryIds: readonly string[] }).deliveryIds).toHaveLength(wanted.length);
    });

    const TIMES = [T0 - 1, T0, T0 + 1, null];

    test("isExpired: what is claimed", async () => {
      for (const notAfter of TIMES)
        await store.registerCallback(aRegistration({ taskId: "timed", clientId: String(notAfter), notAfter }));
      await claimEnds(["timed"]);
      const history = await store.deliveryHistory("local", "timed");
      const sending = history.filter(({ deliveries: [delivery] }) => delivery!.status === "sending");
      const inTime = TIMES.filter((notAfter) => !isExpired(notAfter, T0));
      expect(sending.map(({ callback }) => callback.clientId).toSorted()).toEqual(inTime.map(String).toSorted());
    });

    test("isLive: what an event is enqueued for, and what counts as a subscription", async () => {
      for (const expiresAt of TIMES)
        await store.putSubscription(
          aSubscription({
            principal: "ann",
            name: "task_finished",
            url: `https://app.example/${expiresAt}`,
            expiresAt,
          }),
        );
      const ended = aSubscription({ principal: "ann", url: "https://app.example/ended" });
      await store.putSubscription(ended);
      await store.removeSubscription({ principal: "ann", id: ended.id, now: T0 });
      const { task } = await store.startTask(aStart({ principal: "ann" }));
      const cancelled = await store.cancelTask({ id: task.id, error: "enough", now: T0 });
      const live = TIMES.filter((expiresAt) => isLive({ status: "active", expiresAt }, T0));
      expect(cancelled).toMatchObject({ deliveryCount: live.length });
      expect(await store.lookUpSubscription({ key: ended.key, id: ended.id, now: T0 })).toMatchObject({
        own: live.length,
      });
    });
  });
}
