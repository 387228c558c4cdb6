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
import type { Announce } from "../service/ports/telemetry.ts";
import type { Handover } from "../service/ports/delivery-store.ts";
import type { Progress } from "../service/ports/lease-store.ts";
import { newId } from "./foundation.ts";
import type { House } from "./house.ts";

/** What clients can ask for. */
export function createServices(house: House, openHandover: () => Handover) {
  const {
    config,
    store,
    clock,
    log,
    guard,
    breaker: slowLane,
    prober,
    catalog,
    feed,
    taskWork,
    workerWork,
    deliveryWork,
  } = house;
  const { announce } = log;
  const { signingKeys } = config;
  const wakeWorkers = (): void => workerWork.wake();
  const wakes = { wakeRunner: () => taskWork.wake(), wakeDispatcher: () => deliveryWork.wake() };
  const progress = createTaskProgress({
    store,
    clock,
    feed,
    announce,
    wakeDispatcher: wakes.wakeDispatcher,
    intervalMs: config.progressEventIntervalMs,
  });
  house.lifecycle.addBeside("progress", async () => progress.stop());
  const tasks = createTasks({
    store,
    clock,
    catalog,
    targetPolicy: guard,
    announce,
    feed,
    progress,
    ...wakes,
    wakeWorkers,
    openHandover,
  });
  const outside = {
    store,
    tasks,
    catalog,
    clock,
    newNonce,
    announce,
    leaseMs: config.workerLeaseMs,
    wake: wakeWorkers,
  };
  const toReceivers = { store, challenger: house.challenger, clock, newNonce, signingKeys, announce };
  const termination = createTermination({ ...toReceivers, ...config.events });
  const workerQueue = createWorkerQueue(outside);
  const callbacks = createCallbacks({ store, clock, targetPolicy: guard, announce, ...wakes });
  return {
    tasks,
    workerQueue,
    workers: createWorkers({ ...outside, queue: workerQueue, report: keepProgress(tasks, announce) }),
    completions: createCompletions({ ...outside, ttlMs: config.completionUrlTtlMs }),
    secrets: createSecrets({ store, clock, announce, wakeDispatcher: wakes.wakeDispatcher }),
    callbacks,
    deliveries: createDeliveries({ store, slowLane, clock, announce, ...wakes }),
    probes: createProbes({ store, callbacks, prober, slowLane, clock, newId, signingKeys, announce, ...wakes }),
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
      announce,
      wakeDispatcher: wakes.wakeDispatcher,
    }),
    events: createEvents({ store, feed, clock }),
    termination,
    revocation: createRevocation({ store, termination, clock, announce }),
    inbox: createInbox({ store, clock, announce }),
  };
}

/** Kept beside the answer: one that cannot be is not worth refusing the report for. */
function keepProgress(tasks: Tasks, announce: Announce) {
  return (task: Task, progress: Progress): void => {
    const { taskId } = task;
    announce({ kind: "task.progress", taskId, done: progress.done, total: progress.total });
    tasks.progress(task, progress).catch((error: unknown) => {
      announce({ kind: "internal.failed", where: `progress of task ${taskId}`, error });
    });
  };
}
