import { expect, onTestFinished, test } from "vitest";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { createDeliveries, REDELIVER_MAX } from "../../src/service/deliveries.ts";
import type { RedeliverSelection } from "../../src/service/ports/delivery-store.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { aClaim, aRecord, aRegistration, aStart, FAILED_503, T0 } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { openTestStore } from "../support/sqlite-store.ts";

async function setUp(storeSeen: (store: Store) => Store = (it) => it) {
  const store = await openTestStore();
  onTestFinished(() => store.close());
  const emitted: TelemetryEvent[] = [];
  const deliveries = createDeliveries({
    store: storeSeen(store),
    breaker: new CircuitBreaker(),
    clock: createFakeClock(T0),
    emit: (event) => void emitted.push(event),
  });
  return { store, deliveries, emitted };
}

/** A task that has ended, and so many deliveries of it that were given up. */
async function exhaust(store: Store, count: number): Promise<void> {
  const clientIds = Array.from({ length: count }, (_, index) => `c${index}`);
  await Promise.all(clientIds.map((clientId) => store.registerCallback(aRegistration({ clientId }))));
  await store.startTask(aStart());
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: null }, now: T0 });
  const claimed = await store.claimDueDeliveries(aClaim({ limit: count, perOrigin: count }));
  const step = { status: "exhausted", disablesCallback: false } as const;
  await Promise.all(claimed.map((one) => store.recordAttempt(aRecord(one, { outcome: FAILED_503, step }))));
}

test("many deliveries are opened in steps of a bounded size", async () => {
  const steps: RedeliverSelection[] = [];
  const { store, deliveries, emitted } = await setUp((inner) => ({
    ...inner,
    redeliver(command) {
      steps.push(command.selection);
      return inner.redeliver(command);
    },
  }));
  await exhaust(store, 700);

  const result = await deliveries.redeliver("local", { taskId: "task-1" });
  expect([new Set(result.deliveryIds).size, result.passedOver, result.nextCursor]).toEqual([700, 0, null]);
  expect(steps).toMatchObject([
    { limit: 500, after: null },
    { limit: 500, after: { callbackId: expect.any(String) } },
  ]);
  expect(emitted).toEqual([{ kind: "deliveries.redelivered", principal: "local", count: 700 }]);
  expect(await store.claimDueDeliveries(aClaim({ limit: 999, perOrigin: 999 }))).toHaveLength(700);
});

test("what a step has opened is sent, also when a later step fails", async () => {
  let steps = 0;
  const { store, deliveries } = await setUp((inner) => ({
    ...inner,
    async redeliver(command) {
      if (++steps === 2) throw new Error("the disk is full");
      return inner.redeliver(command);
    },
  }));
  await exhaust(store, 501);
  await expect(deliveries.redeliver("local", { taskId: "task-1" })).rejects.toThrow("the disk is full");
  expect(await store.claimDueDeliveries(aClaim({ limit: 999, perOrigin: 999 }))).toHaveLength(500);
});

test("one call looks at so many and no more; the next goes on from its cursor", async () => {
  const afters: unknown[] = [];
  const { deliveries } = await setUp((inner) => ({
    ...inner,
    async redeliver({ selection }) {
      if ("deliveryId" in selection) throw new Error("Not asked for");
      afters.push(selection.after);
      const ids = Array.from({ length: selection.limit }, (_, index) => `dlv_${index}`);
      return { kind: "redelivered", deliveryIds: ids, passedOver: 0, next: { callbackId: "cb_1", eventId: "evt_9" } };
    },
  }));
  const first = await deliveries.redeliver("local", { callbackId: "cb_1" });
  expect(first.deliveryIds).toHaveLength(REDELIVER_MAX);
  expect(afters[0]).toBeNull();
  afters.length = 0;
  await deliveries.redeliver("local", { callbackId: "cb_1", cursor: first.nextCursor! });
  expect(afters[0]).toEqual({ callbackId: "cb_1", eventId: "evt_9" });
});

test("with nothing to redeliver the answer is empty", async () => {
  const { store, deliveries, emitted } = await setUp();
  await store.registerCallback(aRegistration());
  expect(await deliveries.redeliver("local", { taskId: "task-1" })).toEqual({
    deliveryIds: [],
    passedOver: 0,
    nextCursor: null,
  });
  expect(emitted).toEqual([]);
});
