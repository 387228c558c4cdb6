import { beforeEach, describe, expect, test } from "vitest";
import type { Callback } from "../../../src/domain/callback.ts";
import type { RotateSecret } from "../../../src/service/ports/callback-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import { A_SECRET, FAILED_503, T0, aClaim, aRecord, aRegistration } from "../../support/builders.ts";
import { createSteps, openForTest } from "./setup.ts";
import type { OpenStore } from "./setup.ts";

/** What the Store port promises of signing secrets. Each store runs it. */
export function describeSecrets(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await openForTest(open);
    });
    const { runningTask, complete, oneClaimed } = createSteps(() => store);

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
        await store.recoverInterrupted(T0);
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

      test("releases a claim that waits for its next attempt, so that the attempt is signed with the new secret", async () => {
        const delivery = await oneClaimed();
        const step = { status: "pending", nextAttemptAt: T0 + 100, keepClaim: true } as const;
        await store.recordAttempt(aRecord(delivery, { outcome: FAILED_503, step }));
        await rotateTo(delivery.callback.id, ANOTHER, { overlapMs: 0 });
        expect(await store.continueClaim(delivery)).toBe(false);
        expect(await store.nextDeliveryTimes(T0)).toEqual({ anyDue: false, nextAt: T0 + 100 });
        expect(await secretsClaimedAt(T0 + 100)).toEqual([ANOTHER]);
      });

      test("leaves an attempt under way its claim", async () => {
        const delivery = await oneClaimed();
        await rotateTo(delivery.callback.id, ANOTHER);
        expect(await store.recordAttempt(aRecord(delivery))).toMatchObject({ claimWasCurrent: true });
      });
    });

    describe("reencryptSecrets", () => {
      test("has nothing to do without a key", async () => {
        await store.registerCallback(aRegistration());
        expect(await store.reencryptSecrets({ limit: 10 })).toEqual({ reencrypted: 0, unreadable: 0, isDone: true });
      });
    });
  });
}
