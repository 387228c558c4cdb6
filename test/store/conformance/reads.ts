import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../../src/service/ports/store.ts";
import { FAILED_503, T0, aClaim, aRecord, aRegistration } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of history, counts and the inbox. Each store runs it. */
export function describeReads(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, oneClaimed, onlyDelivery, exhausted } = createSteps(() => store);

    describe("deliveryHistory", () => {
      const EVERYTHING = { after: null, limit: 100, statuses: null, since: null };
      const clientsOf = (page: Awaited<ReturnType<Store["deliveryHistory"]>>) =>
        page.map(({ callback }) => callback.clientId);

      test("is paged by registration, whatever is registered meanwhile", async () => {
        const seen: string[] = [];
        for (const index of [0, 1, 2, 3, 4])
          await store.registerCallback(aRegistration({ clientId: `c${index}`, now: T0 + Math.floor(index / 2) }));
        let after: { registeredAt: number; id: string } | null = null;
        for (let page = 0; page < 4; page++) {
          const rows = await store.deliveryHistory("local", "task-1", { ...EVERYTHING, after, limit: 2 });
          seen.push(...clientsOf(rows));
          after = rows.at(-1)?.callback ?? after;
          await store.registerCallback(aRegistration({ clientId: `late-${page}`, now: T0 + 100 + page }));
        }
        expect(seen.slice(0, 5).toSorted()).toEqual(["c0", "c1", "c2", "c3", "c4"]);
        expect(seen.slice(5)).toEqual(["late-0", "late-1", "late-2"]);
      });

      test("with a filter shows the callbacks that have such deliveries, and of these only them", async () => {
        await exhausted(2, T0 + 50);
        await store.registerCallback(aRegistration({ clientId: "late", now: T0 + 90 }));
        const pageOf = (filter: object) => store.deliveryHistory("local", "task-1", { ...EVERYTHING, ...filter });
        expect(clientsOf(await pageOf({ statuses: ["exhausted"] }))).toEqual(["client-0", "client-1"]);
        expect(await pageOf({ statuses: ["pending"] })).toMatchObject([
          { callback: { clientId: "late" }, deliveries: [{ status: "pending", attempts: [] }] },
        ]);
        expect(clientsOf(await pageOf({ since: T0 + 51 }))).toEqual(["late"]);
        expect(await pageOf({ since: T0 + 91 })).toEqual([]);
      });

      test("shows the newest 20 attempts of a delivery, the oldest of them first, and counts all", async () => {
        const step = { status: "pending", nextAttemptAt: T0, keepClaim: false } as const;
        await store.recordAttempt(aRecord(await oneClaimed(), { outcome: FAILED_503, step }));
        for (let made = 1; made < 25; made++) {
          const [claimed] = await store.claimDueDeliveries(aClaim());
          await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step }));
        }
        const { delivery } = await onlyDelivery();
        expect(delivery.attemptCount).toBe(25);
        expect(delivery.attempts.map(({ number }) => number)).toEqual(
          Array.from({ length: 20 }, (_, index) => index + 6),
        );
      });

      test("is counted over all of its pages, with the same filter", async () => {
        await exhausted(3, T0 + 50);
        await store.registerCallback(aRegistration({ clientId: "late", now: T0 + 90 }));
        await store.registerCallback(aRegistration({ taskId: "task-2" }));
        const countOf = (filter: object, principal = "local", taskId = "task-1") =>
          store.callbackCount(principal, taskId, { statuses: null, since: null, ...filter });
        expect(await countOf({})).toBe(4);
        expect(await countOf({ statuses: ["exhausted"] })).toBe(3);
        expect(await countOf({ since: T0 + 51 })).toBe(1);
        expect(await countOf({ since: T0 + 91 })).toBe(0);
        expect([await countOf({}, "bob"), await countOf({}, "local", "task-3")]).toEqual([0, 0]);
      });

      test("a filter takes a claim that is kept over a short wait for the pending delivery that it shows as", async () => {
        const step = { status: "pending", nextAttemptAt: T0 + 100, keepClaim: true } as const;
        await store.recordAttempt(aRecord(await oneClaimed(), { outcome: FAILED_503, step }));
        const pageOf = (status: "pending" | "sending") =>
          store.deliveryHistory("local", "task-1", { ...EVERYTHING, statuses: [status] });
        expect(await pageOf("pending")).toMatchObject([{ deliveries: [{ status: "pending" }] }]);
        expect(await pageOf("sending")).toEqual([]);
      });
    });

    describe("counts", () => {
      test("count tasks and the callbacks that wait for a POST", async () => {
        expect(await store.counts()).toEqual({
          completedTasks: 0,
          activeTasks: 0,
          pendingCallbacks: 0,
          disabledCallbacks: 0,
        });
        await store.registerCallback(aRegistration());
        await store.registerCallback(aRegistration({ clientId: "failures", events: ["task_failed"] }));
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 2 });
        const task = await runningTask();
        expect(await store.counts()).toMatchObject({ activeTasks: 1 });
        await complete(task);
        expect(await store.counts()).toEqual({
          completedTasks: 1,
          activeTasks: 0,
          pendingCallbacks: 1,
          disabledCallbacks: 0,
        });
        const [delivery] = await store.claimDueDeliveries(aClaim());
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 1 });
        await store.recordAttempt(aRecord(delivery!));
        expect(await store.counts()).toEqual({
          completedTasks: 1,
          activeTasks: 0,
          pendingCallbacks: 0,
          disabledCallbacks: 0,
        });
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
