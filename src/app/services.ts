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
import { createReceiverTests } from "../service/receiver-tests.ts";
import type { ReceiverTests } from "../service/receiver-tests.ts";
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
import { createLeasePolls } from "../service/lease-polls.ts";
import type { LeasePolls } from "../service/lease-polls.ts";
import { createWorkers } from "../service/workers.ts";
import type { Workers } from "../service/workers.ts";
import type { AppContext } from "./app.ts";
import type { Outbound } from "./outbound.ts";
import { newId } from "./store.ts";
import type { TaskTypes } from "./task-types.ts";

export interface ServicesParts {
  readonly context: AppContext;
  readonly storage: OpenedStore;
  readonly outbound: Outbound;
  readonly taskTypes: TaskTypes;
  readonly dispatcher: Dispatcher;
  readonly breaker: CircuitBreaker;
}

/** The services that HTTP, MCP and the loops call. */
export interface Services {
  readonly tasks: Tasks;
  readonly progress: TaskProgress;
  readonly leasePolls: LeasePolls;
  readonly workers: Workers;
  readonly completions: Completions;
  readonly callbacks: Callbacks;
  readonly secrets: Secrets;
  readonly deliveries: Deliveries;
  readonly receiverTests: ReceiverTests;
  readonly subscriptions: Subscriptions;
  readonly events: Events;
  readonly termination: Termination;
  readonly revocation: Revocation;
  readonly inbox: Inbox;
  readonly health: Health;
}

export function createServices(parts: ServicesParts): Services {
  const { context, storage, outbound, taskTypes, dispatcher, breaker } = parts;
  const { config, clock, emit } = context;
  const { store, queues, notifier, checkFile } = storage;
  const { guard: targetPolicy, receiverTester, endpointVerifier } = outbound;
  const { signingKeys, events } = config;
  const { catalog } = taskTypes;
  const base = { store, clock, emit };
  const messages = { endpointVerifier, clock, newNonce };

  const progress = startProgress(parts);
  const waits = createTaskWaits({ store, notifier, emit });
  const endTask = createTaskEnd({ emit, openReservation: () => dispatcher.openReservation() });
  const tasks = createTasks({ ...base, catalog, targetPolicy, waits, endTask });
  const lease = { newToken: newNonce, durationMs: config.workerLeaseMs };
  const leasePolls = createLeasePolls({ ...base, tasks, catalog, queue: queues.leases, lease });
  const callbacks = createCallbacks({ ...base, targetPolicy });
  const termination = createTermination({ ...messages, ...events });
  const verification = createVerification({ ...messages, store, emit });
  const settings = subscriptionSettings(config);
  return {
    tasks,
    progress,
    leasePolls,
    workers: createWorkers({ ...base, tasks, progress, catalog, polls: leasePolls }),
    completions: createCompletions({ store, clock, tasks, catalog, newNonce, ttlMs: config.completionUrlTtlMs }),
    callbacks,
    secrets: createSecrets(base),
    deliveries: createDeliveries({ ...base, breaker }),
    receiverTests: createReceiverTests({ callbacks, receiverTester, breaker, clock, newId, signingKeys, emit }),
    subscriptions: createSubscriptions({ ...base, breaker, targetPolicy, verification, settings }),
    events: createEvents({ store, notifier, clock }),
    termination,
    revocation: createRevocation({ ...base, termination }),
    inbox: createInbox(base),
    health: createHealth({ ...base, checkFile, queues, openCircuitCount: () => breaker.openOrigins.size }),
  };
}

function startProgress({ context, storage }: ServicesParts): TaskProgress {
  const { config, clock, emit, lifecycle } = context;
  const { store, notifier } = storage;
  const intervalMs = config.progressEventIntervalMs;
  const progress = createTaskProgress({ store, clock, notifier, emit, intervalMs });
  lifecycle.add("progress", async () => progress.stop());
  return progress;
}

function subscriptionSettings({ events, privateTargets }: Config): SubscriptionSettings {
  const { lifetime, subscriptionsMax: perPrincipalMax, retryPolicy } = events;
  return { lifetime, perPrincipalMax, retryPolicy, allowsLoopbackHttp: privateTargets !== "none" };
}

/** With tokens, a principal whose token was removed has lost its access. Without tokens there is no list of principals to compare with. */
export async function revokeRemovedTokens({ config, lifecycle }: AppContext, revocation: Revocation): Promise<void> {
  if (config.accessTokens.length === 0) return;
  const { messagesSent } = await revocation.revokeAllExcept(config.accessTokens.map(({ name }) => name));
  lifecycle.addParallel("revocation", () => messagesSent);
}
