import { beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../../src/service/ports/store.ts";
import { A_SECRET, T0, aClaim, aRegistration } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of registering callbacks. Each store runs it. */
export function describeRegistration(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, registerMany } = createSteps(() => store);

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
        await registerMany(1000, {});
        expect(await store.registerCallback(aRegistration({ clientId: "one-too-many" }))).toEqual({ kind: "limit" });
        expect(await store.registerCallback(aRegistration({ clientId: "client-0" }))).toMatchObject({
          kind: "existing",
        });
      });
    });
  });
}
