import { beforeEach, describe, expect, test } from "vitest";
import type { ClaimedDelivery, ReserveSlot } from "../../../src/service/ports/delivery-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import type { FinishTaskResult } from "../../../src/service/ports/task-store.ts";
import { A_SECRET, FAILED_503, T0, aClaim, aRecord, aRegistration, aStart } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of deliveries. Each store runs it. */
export function describeDeliveries(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, registerMany, oneClaimed, onlyDelivery } = createSteps(() => store);

    describe("deliveries", () => {
      describe.each(["finishTask", "cancelTask"] as const)("of a task that ends by %s", (verb) => {
        async function end(reserveSlot?: ReserveSlot, id?: string) {
          const task = id ?? (await runningTask()).id;
          const outcome = { status: "completed", result: { of: ["a", 1] } } as const;
          const changes = { id: task, now: T0, ...(reserveSlot && { reserveSlot }) };
          return verb === "finishTask"
            ? store.finishTask({ ...changes, outcome })
            : store.cancelTask({ ...changes, error: "enough" });
        }

        /** This many slots. `origins`: of each slot that was asked for. */
        function slots(count: number) {
          const origins: string[] = [];
          const reserve: ReserveSlot = (origin) => origins.push(origin) <= count;
          return { reserve, origins };
        }

        test("are claimed where a slot can be reserved, exactly as a claim reads them, and are pending where none can", async () => {
          for (const clientId of ["a", "b", "c"]) await store.registerCallback(aRegistration({ clientId }));
          const { reserve, origins } = slots(2);
          const ended = await end(reserve);
          expect(ended).toMatchObject({ deliveryCount: 3, claimed: [expect.anything(), expect.anything()] });
          expect(origins).toEqual(Array.from({ length: 3 }, () => "http://receiver.example"));
          const { claimed } = ended!;
          const [pending, ...others] = await store.claimDueDeliveries(aClaim());
          expect(others).toEqual([]);
          const { deliveryId: _, callback, ...rest } = pending!;
          const { id: _id, clientId: _client, ...target } = callback;
          const same = { ...rest, callback: expect.objectContaining(target) };
          expect(claimed.map((one) => ({ ...one }))).toMatchObject([same, same]);
          const clients = [...claimed, pending!].map((one) => one.callback.clientId);
          expect(clients.toSorted()).toEqual(["a", "b", "c"]);
          // A full claim: it can be recorded, and recoverInterrupted finds it.
          expect(await store.recordAttempt(aRecord(claimed[0]!))).toMatchObject({ claimWasCurrent: true });
          expect(await store.recoverInterrupted(T0)).toEqual({ tasks: 0, deliveries: 2 });
          expect(await store.recordAttempt(aRecord(claimed[1]!))).toMatchObject({ claimWasCurrent: false });
        });

        test("are pending and due without slots to reserve", async () => {
          await store.registerCallback(aRegistration());
          expect(await end()).toMatchObject({ deliveryCount: 1, claimed: [] });
          expect(await store.claimDueDeliveries(aClaim())).toHaveLength(1);
        });

        test("reserve no slot for a callback that gets nothing", async () => {
          const { id } = await runningTask();
          await store.registerCallback(aRegistration({ clientId: "too-late", notAfter: T0 }));
          await store.registerCallback(aRegistration({ clientId: "other", events: ["task_failed"] }));
          const { reserve, origins } = slots(9);
          expect(await end(reserve, id)).toMatchObject({ deliveryCount: 1, claimed: [] });
          expect(origins).toEqual([]);
        });

        test("are claimed once: a second end reserves no slot", async () => {
          await store.registerCallback(aRegistration());
          const { id } = await runningTask();
          await end(slots(9).reserve, id);
          const { reserve, origins } = slots(9);
          expect(await end(reserve, id)).toBeNull();
          expect(origins).toEqual([]);
        });

        test("take no more slots when their transaction is rolled back for another command and run again", async () => {
          await store.registerCallback(aRegistration());
          const { id } = await runningTask();
          const { reserve, origins } = slots(9);
          const conflicting = aRegistration({ taskId: "task-2" });
          await store.registerCallback(aRegistration({ taskId: "task-2", events: ["task_failed"] }));
          const [ended, refused] = await Promise.allSettled([
            end(reserve, id),
            store.startTask({ ...aStart({ taskId: "task-2" }), callbacks: [conflicting] }),
          ]);
          expect(refused.status).toBe("rejected");
          expect(origins.length).toBeLessThanOrEqual(1);
          const { deliveryCount, claimed } = (ended as PromiseFulfilledResult<FinishTaskResult>).value;
          expect(deliveryCount).toBe(1);
          expect([...claimed, ...(await store.claimDueDeliveries(aClaim()))]).toHaveLength(1);
        });
      });

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
        const claim = aClaim({ perOrigin: 2, freeSlotsByKey: new Map([["http://slow.example", 1]]) });
        const hosts = (claimed: readonly ClaimedDelivery[]) =>
          claimed.map(({ origin }) => new URL(origin).hostname).toSorted();
        expect(hosts(await store.claimDueDeliveries({ ...claim, limit: 2 }))).toHaveLength(2);
        const rest = await store.claimDueDeliveries({ ...claim, perOrigin: 9, freeSlotsByKey: new Map() });
        expect(rest).toHaveLength(3);
      });

      test("an origin without free slots does not delay other origins", async () => {
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

      // As many as the other origins have due, and more.
      test.each([2, 10])(
        "an origin without free slots does not hide %i deliveries to other origins, however much of it is due",
        async (limit) => {
          await registerMany(200, { url: "http://dead.example/" });
          await complete(await runningTask());
          for (const [index, host] of ["late", "later"].entries()) {
            const taskId = `task-${host}`;
            await store.registerCallback(aRegistration({ taskId, url: `http://${host}.example/` }));
            await complete(await runningTask(taskId), T0 + 1 + index);
          }
          const freeSlotsByKey = new Map([["http://dead.example", 0]]);
          const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 9, limit, freeSlotsByKey }));
          expect(claimed.map(({ origin }) => origin)).toEqual(["http://late.example", "http://later.example"]);
        },
      );

      test("a success is recorded with its attempt and settles the event", async () => {
        const delivery = await oneClaimed();
        expect(await store.recordAttempt(aRecord(delivery))).toEqual({ claimWasCurrent: true, eventSettled: true });
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
        await store.recoverInterrupted(T0);
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
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: false, nextAt: T0 + 5000 });
        expect(await store.nextDeliveryTimes(T0 + 5000)).toEqual({ anyDue: true, nextAt: null });
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
        expect(await store.continueClaim(delivery)).toBe(true);
        expect((await onlyDelivery()).delivery).toMatchObject({ status: "sending" });
      });

      test("a void claim cannot resume; its attempt is added, its step is not taken", async () => {
        const old = await oneClaimed();
        await store.recoverInterrupted(T0);
        const [current] = await store.claimDueDeliveries(aClaim());
        expect(await store.continueClaim(old)).toBe(false);
        const step = { status: "exhausted", disablesCallback: false } as const;
        expect(await store.recordAttempt(aRecord(old, { step }))).toEqual({
          claimWasCurrent: false,
          eventSettled: false,
        });
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

      test("a receiver that is gone disables its callback, and its open deliveries are cancelled", async () => {
        const delivery = await oneClaimed();
        const gone = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
        await store.recordAttempt(
          aRecord(delivery, { outcome: gone, step: { status: "exhausted", disablesCallback: true } }),
        );
        const { callback, delivery: after } = await onlyDelivery();
        expect([callback.status, after.status]).toEqual(["disabled", "exhausted"]);
        expect(callback.health).toMatchObject({ disabledReason: "gone", disabledAt: T0 + 12, lastError: "http_4xx" });
        expect(await store.counts()).toMatchObject({ pendingCallbacks: 0, disabledCallbacks: 1 });
      });
    });
  });
}
