import { onTestFinished } from "vitest";
import type { Task } from "../../../src/domain/task.ts";
import type { ClaimedDelivery } from "../../../src/service/ports/delivery-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import { aClaim, aRecord, aRegistration, aStart, FAILED_503, T0 } from "../../support/builders.ts";

/** Opens an empty store for one test. */
export type OpenStore = () => Promise<Store>;

export const FAILED = { statuses: ["exhausted", "cancelled"], since: null } as const;
export const EXHAUSTED = { status: "exhausted", disablesCallback: false } as const;
export const GONE = { status: "exhausted", disablesCallback: true } as const;

/** A store for one test, closed when the test ends. */
export async function openForTest(open: OpenStore): Promise<Store> {
  const store = await open();
  onTestFinished(() => store.close());
  return store;
}

/** Steps that many tests begin with, on the store of the test that runs. */
export function createSteps(storeOf: () => Store) {
  async function runningTask(taskId = "task-1", principal = "local"): Promise<Task> {
    await storeOf().startTask(aStart({ taskId, principal }));
    const [task] = await storeOf().claimRunnableTasks({ limit: 1, now: T0 });
    return task!;
  }

  async function complete(task: Task, now = T0) {
    return storeOf().finishTask({ id: task.id, outcome: { status: "completed", result: "done" }, now });
  }

  /** Of `client-0` and so on; all at once, so that they share one wait for the disk. */
  async function registerMany(count: number, changes: Parameters<typeof aRegistration>[0]): Promise<void> {
    const clientIds = Array.from({ length: count }, (_, index) => `client-${index}`);
    await Promise.all(clientIds.map((clientId) => storeOf().registerCallback(aRegistration({ ...changes, clientId }))));
  }

  async function oneClaimed(): Promise<ClaimedDelivery> {
    await storeOf().registerCallback(aRegistration());
    await complete(await runningTask());
    const [delivery] = await storeOf().claimDueDeliveries(aClaim());
    return delivery!;
  }

  async function onlyDelivery(principal = "local", taskId = "task-1") {
    const [entry] = await storeOf().deliveryHistory(principal, taskId);
    return { callback: entry!.callback, delivery: entry!.deliveries[0]! };
  }

  function unregister(principal = "local", now = T0) {
    const callback = { taskId: "task-1", clientId: "client-1", url: "http://receiver.example/hook" };
    return storeOf().unregisterCallback({ principal, callback, now });
  }

  function redeliverOne(deliveryId: string, now = T0, principal = "local") {
    return storeOf().redeliver({ principal, selection: { deliveryId }, now });
  }

  /** `count` callbacks of one ended task, their deliveries exhausted. */
  async function exhausted(count: number, now = T0): Promise<readonly ClaimedDelivery[]> {
    for (let index = 0; index < count; index++)
      await storeOf().registerCallback(aRegistration({ clientId: `client-${index}`, now: T0 + index }));
    await complete(await runningTask(), now);
    const claimed = await storeOf().claimDueDeliveries(aClaim({ now }));
    for (const delivery of claimed)
      await storeOf().recordAttempt(aRecord(delivery, { outcome: FAILED_503, step: EXHAUSTED }));
    return claimed;
  }

  function enable(callbackId: string, now = T0, principal = "local") {
    return storeOf().enableCallback({ principal, callbackId, now });
  }

  return { runningTask, complete, registerMany, oneClaimed, onlyDelivery, unregister, redeliverOne, exhausted, enable };
}
