import { newNonce } from "../domain/ids.ts";
import type { Progress, Task } from "../domain/task.ts";
import type { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import type { Config } from "../config/config.ts";
import type { Dispatcher } from "../delivery/dispatcher.ts";
import { createCallbacks } from "../service/callbacks.ts";
import { createCompletions } from "../service/completions.ts";
import { createDeliveries } from "../service/deliveries.ts";
import type { EventFeed } from "../service/event-feed.ts";
import { createEvents } from "../service/events.ts";
import { createHealth } from "../service/health.ts";
import { createInbox } from "../service/inbox.ts";
import type { Store } from "../service/ports/store.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { WorkQueues } from "../service/ports/work-queue.ts";
import { createProbes } from "../service/probes.ts";
import { createRevocation } from "../service/revocation.ts";
import type { Revocation } from "../service/revocation.ts";
import { createSecrets } from "../service/secrets.ts";
import { createSubscriptions } from "../service/subscriptions.ts";
import { createTaskProgress } from "../service/task-progress.ts";
import type { TaskProgress } from "../service/task-progress.ts";
import { createTermination } from "../service/termination.ts";
import { createTasks } from "../service/tasks.ts";
import type { Tasks } from "../service/tasks.ts";
import { createVerification } from "../service/verification.ts";
import { createWorkerQueue } from "../service/worker-queue.ts";
import { createWorkers } from "../service/workers.ts";
import type { Platform } from "./app.ts";
import type { Outbound } from "./outbound.ts";
import { newId } from "./store.ts";
import type { TaskTypes } from "./task-types.ts";

export interface ServicesParts {
  readonly platform: Platform;
  readonly store: Store;
  readonly outbound: Outbound;
  readonly taskTypes: TaskTypes;
  readonly queues: WorkQueues;
  readonly feed: EventFeed;
  readonly dispatcher: Dispatcher;
  readonly breaker: CircuitBreaker;
}

export type Services = ReturnType<typeof createServices>;

/** What clients can ask for. */
export function createServices(parts: ServicesParts) {
  const { platform, store, outbound, taskTypes, queues, feed, dispatcher, breaker } = parts;
  const { config, clock, emit } = platform;
  const { guard: targetPolicy, receiverTester, endpointVerifier } = outbound;
  const { signingKeys, events } = config;
  const { catalog } = taskTypes;
  const base = { store, clock, emit };

  const progress = startProgress(parts);
  const openReservation = () => dispatcher.openReservation();
  const tasks = createTasks({ ...base, catalog, targetPolicy, feed, progress, openReservation });
  const outside = { ...base, tasks, catalog, newNonce, leaseMs: config.workerLeaseMs };
  const workerQueue = createWorkerQueue({ ...outside, queue: queues.leases });
  const callbacks = createCallbacks({ ...base, targetPolicy });
  const verification = { ...base, endpointVerifier, newNonce, signingKeys };
  const termination = createTermination({ ...verification, ...events });
  const subscribing = { ...base, ...subscriptionSettings(config), verification: createVerification(verification) };
  return {
    tasks,
    workerQueue,
    workers: createWorkers({ ...outside, queue: workerQueue, report: recordProgress(tasks, emit) }),
    completions: createCompletions({ ...outside, ttlMs: config.completionUrlTtlMs }),
    secrets: createSecrets(base),
    callbacks,
    deliveries: createDeliveries({ ...base, breaker }),
    probes: createProbes({ ...base, callbacks, receiverTester, breaker, newId, signingKeys }),
    subscriptions: createSubscriptions({ ...subscribing, breaker, targetPolicy }),
    events: createEvents({ store, feed, clock }),
    termination,
    revocation: createRevocation({ ...base, termination }),
    inbox: createInbox(base),
    health: createHealth({ store, slowOrigins: () => breaker.slowOrigins.length }),
  };
}

function startProgress({ platform, store, feed }: ServicesParts): TaskProgress {
  const { config, clock, emit, lifecycle } = platform;
  const intervalMs = config.progressEventIntervalMs;
  const progress = createTaskProgress({ store, clock, emit, feed, intervalMs });
  lifecycle.add("progress", async () => progress.stop());
  return progress;
}

function subscriptionSettings({ events, privateTargets }: Config) {
  const { lifetime, subscriptionsMax: ownMax, retryPolicy } = events;
  return { lifetime, ownMax, retryPolicy, allowsLoopbackHttp: privateTargets !== "none" };
}

/** With tokens, a principal whose token was removed has lost access. Without tokens nothing is known of principals. */
export async function revokeRemovedTokens({ config, lifecycle }: Platform, revocation: Revocation): Promise<void> {
  if (config.accessTokens.length === 0) return;
  const { told } = await revocation.revokeOthers(config.accessTokens.map(({ name }) => name));
  lifecycle.addParallel("revocation", () => told);
}

/** Recorded beside the answer: a report is not refused for it. */
function recordProgress(tasks: Tasks, emit: Emit) {
  return (task: Task, progress: Progress): void => {
    const { taskId } = task;
    emit({ kind: "task.progress", taskId, done: progress.done, total: progress.total });
    tasks.progress(task, progress).catch((error: unknown) => {
      emit({ kind: "internal.failed", where: `progress of task ${taskId}`, error });
    });
  };
}
