import { newNonce } from "../domain/ids.ts";
import type { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import type { Config } from "../config/config.ts";
import type { Dispatcher } from "../delivery/dispatcher.ts";
import { createCallbacks } from "../service/callbacks.ts";
import type { Callbacks } from "../service/callbacks.ts";
import { createCompletions } from "../service/completions.ts";
import type { Completions } from "../service/completions.ts";
import { createDeliveries } from "../service/deliveries.ts";
import type { Deliveries } from "../service/deliveries.ts";
import { createEvents } from "../service/events.ts";
import type { Events } from "../service/events.ts";
import { createHealth } from "../service/health.ts";
import type { Health } from "../service/health.ts";
import { createInbox } from "../service/inbox.ts";
import type { Inbox } from "../service/inbox.ts";
import type { OpenedStore } from "../store/open.ts";
import { createProbes } from "../service/probes.ts";
import type { Probes } from "../service/probes.ts";
import { createRevocation } from "../service/revocation.ts";
import type { Revocation } from "../service/revocation.ts";
import { createSecrets } from "../service/secrets.ts";
import type { Secrets } from "../service/secrets.ts";
import { createSubscriptions } from "../service/subscriptions.ts";
import type { Subscriptions, SubscriptionSettings } from "../service/subscriptions.ts";
import { createTaskEnd } from "../service/task-end.ts";
import { createTaskProgress } from "../service/task-progress.ts";
import type { TaskProgress } from "../service/task-progress.ts";
import { createTaskWaits } from "../service/task-waits.ts";
import { createTermination } from "../service/termination.ts";
import type { Termination } from "../service/termination.ts";
import { createTasks } from "../service/tasks.ts";
import type { Tasks } from "../service/tasks.ts";
import { createVerification } from "../service/verification.ts";
import { createWorkerQueue } from "../service/worker-queue.ts";
import type { WorkerQueue } from "../service/worker-queue.ts";
import { createWorkers } from "../service/workers.ts";
import type { Workers } from "../service/workers.ts";
import type { Platform } from "./app.ts";
import type { Outbound } from "./outbound.ts";
import { newId } from "./store.ts";
import type { TaskTypes } from "./task-types.ts";

export interface ServicesParts {
  readonly platform: Platform;
  readonly storage: OpenedStore;
  readonly outbound: Outbound;
  readonly taskTypes: TaskTypes;
  readonly dispatcher: Dispatcher;
  readonly breaker: CircuitBreaker;
}

/** What the doors and the workers ask for. */
export interface Services {
  readonly tasks: Tasks;
  readonly progress: TaskProgress;
  readonly workerQueue: WorkerQueue;
  readonly workers: Workers;
  readonly completions: Completions;
  readonly callbacks: Callbacks;
  readonly secrets: Secrets;
  readonly deliveries: Deliveries;
  readonly probes: Probes;
  readonly subscriptions: Subscriptions;
  readonly events: Events;
  readonly termination: Termination;
  readonly revocation: Revocation;
  readonly inbox: Inbox;
  readonly health: Health;
}

export function createServices(parts: ServicesParts): Services {
  const { platform, storage, outbound, taskTypes, dispatcher, breaker } = parts;
  const { config, clock, emit } = platform;
  const { store, queues, notifier } = storage;
  const { guard: targetPolicy, receiverTester, endpointVerifier } = outbound;
  const { signingKeys, events } = config;
  const { catalog } = taskTypes;
  const base = { store, clock, emit };
  const control = { endpointVerifier, clock, newNonce };

  const progress = startProgress(parts);
  const waits = createTaskWaits({ store, notifier, emit });
  const endTask = createTaskEnd({ emit, openReservation: () => dispatcher.openReservation() });
  const tasks = createTasks({ ...base, catalog, targetPolicy, waits, endTask });
  const lease = { newToken: newNonce, durationMs: config.workerLeaseMs };
  const workerQueue = createWorkerQueue({ ...base, tasks, catalog, queue: queues.leases, lease });
  const callbacks = createCallbacks({ ...base, targetPolicy });
  const termination = createTermination({ ...control, ...events });
  const verification = createVerification({ ...control, store, emit });
  const settings = subscriptionSettings(config);
  return {
    tasks,
    progress,
    workerQueue,
    workers: createWorkers({ ...base, tasks, progress, catalog, queue: workerQueue }),
    completions: createCompletions({ store, clock, tasks, catalog, newNonce, ttlMs: config.completionUrlTtlMs }),
    callbacks,
    secrets: createSecrets(base),
    deliveries: createDeliveries({ ...base, breaker }),
    probes: createProbes({ callbacks, receiverTester, breaker, clock, newId, signingKeys, emit }),
    subscriptions: createSubscriptions({ ...base, breaker, targetPolicy, verification, settings }),
    events: createEvents({ store, notifier, clock }),
    termination,
    revocation: createRevocation({ ...base, termination }),
    inbox: createInbox(base),
    health: createHealth({ store, slowOrigins: () => breaker.openKeys.length }),
  };
}

function startProgress({ platform, storage }: ServicesParts): TaskProgress {
  const { config, clock, emit, lifecycle } = platform;
  const { store, notifier } = storage;
  const intervalMs = config.progressEventIntervalMs;
  const progress = createTaskProgress({ store, clock, notifier, emit, intervalMs });
  lifecycle.add("progress", async () => progress.stop());
  return progress;
}

function subscriptionSettings({ events, privateTargets }: Config): SubscriptionSettings {
  const { lifetime, subscriptionsMax: ownMax, retryPolicy } = events;
  return { lifetime, ownMax, retryPolicy, allowsLoopbackHttp: privateTargets !== "none" };
}

/** With tokens, a principal whose token was removed has lost its access. Without tokens there is no list of principals to compare with. */
export async function revokeRemovedTokens({ config, lifecycle }: Platform, revocation: Revocation): Promise<void> {
  if (config.accessTokens.length === 0) return;
  const { messagesSent } = await revocation.revokeAllExcept(config.accessTokens.map(({ name }) => name));
  lifecycle.addParallel("revocation", () => messagesSent);
}
