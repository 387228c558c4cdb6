import { createCallbacks } from "../service/callbacks.ts";
import { createCompletions } from "../service/completions.ts";
import { createDeliveries } from "../service/deliveries.ts";
import { createEvents } from "../service/events.ts";
import { createInbox } from "../service/inbox.ts";
import { createProbes } from "../service/probes.ts";
import { createRevocation } from "../service/revocation.ts";
import { createSecrets } from "../service/secrets.ts";
import { createSubscriptions } from "../service/subscriptions.ts";
import { createTaskProgress } from "../service/task-progress.ts";
import { createTasks } from "../service/tasks.ts";
import type { Tasks } from "../service/tasks.ts";
import { createTermination } from "../service/termination.ts";
import { createVerification } from "../service/verification.ts";
import { createWorkerQueue } from "../service/worker-queue.ts";
import { createWorkers } from "../service/workers.ts";
import { newNonce } from "../domain/ids.ts";
import type { Task } from "../domain/task.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { SlotReservation } from "../service/ports/delivery-store.ts";
import type { Progress } from "../service/ports/lease-store.ts";
import { newId } from "./foundation.ts";
import type { House } from "./house.ts";

/** What clients can ask for. */
export function createServices(house: House, openReservation: () => SlotReservation) {
  const {
    config,
    store,
    clock,
    log,
    guard,
    breaker: slowLane,
    receiverTester,
    catalog,
    feed,
    taskWork,
    workerWork,
    deliveryWork,
  } = house;
  const { emit } = log;
  const { signingKeys } = config;
  const wakeWorkers = (): void => workerWork.wake();
  const wakes = { wakeRunner: () => taskWork.wake(), wakeDispatcher: () => deliveryWork.wake() };
  const progress = createTaskProgress({
    store,
    clock,
    feed,
    emit,
    wakeDispatcher: wakes.wakeDispatcher,
    intervalMs: config.progressEventIntervalMs,
  });
  house.lifecycle.addBeside("progress", async () => progress.stop());
  const tasks = createTasks({
    store,
    clock,
    catalog,
    targetPolicy: guard,
    emit,
    feed,
    progress,
    ...wakes,
    wakeWorkers,
    openReservation,
  });
  const outside = {
    store,
    tasks,
    catalog,
    clock,
    newNonce,
    emit,
    leaseMs: config.workerLeaseMs,
    wake: wakeWorkers,
  };
  const toReceivers = { store, endpointVerifier: house.endpointVerifier, clock, newNonce, signingKeys, emit };
  const termination = createTermination({ ...toReceivers, ...config.events });
  const workerQueue = createWorkerQueue(outside);
  const callbacks = createCallbacks({ store, clock, targetPolicy: guard, emit, ...wakes });
  return {
    tasks,
    workerQueue,
    workers: createWorkers({ ...outside, queue: workerQueue, report: keepProgress(tasks, emit) }),
    completions: createCompletions({ ...outside, ttlMs: config.completionUrlTtlMs }),
    secrets: createSecrets({ store, clock, emit, wakeDispatcher: wakes.wakeDispatcher }),
    callbacks,
    deliveries: createDeliveries({ store, slowLane, clock, emit, ...wakes }),
    probes: createProbes({ store, callbacks, receiverTester, slowLane, clock, newId, signingKeys, emit, ...wakes }),
    subscriptions: createSubscriptions({
      store,
      slowLane,
      clock,
      targetPolicy: guard,
      verification: createVerification(toReceivers),
      lifetime: config.events.lifetime,
      ownMax: config.events.subscriptionsMax,
      allowsLoopbackHttp: config.privateTargets !== "none",
      retryPolicy: config.events.retryPolicy,
      emit,
      wakeDispatcher: wakes.wakeDispatcher,
    }),
    events: createEvents({ store, feed, clock }),
    termination,
    revocation: createRevocation({ store, termination, clock, emit }),
    inbox: createInbox({ store, clock, emit }),
  };
}

/** Kept beside the answer: one that cannot be is not worth refusing the report for. */
function keepProgress(tasks: Tasks, emit: Emit) {
  return (task: Task, progress: Progress): void => {
    const { taskId } = task;
    emit({ kind: "task.progress", taskId, done: progress.done, total: progress.total });
    tasks.progress(task, progress).catch((error: unknown) => {
      emit({ kind: "internal.failed", where: `progress of task ${taskId}`, error });
    });
  };
}
