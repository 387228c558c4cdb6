import { pathToFileURL } from "node:url";
import type { Config } from "../config/config.ts";
import type { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import { Dispatcher } from "../delivery/dispatcher.ts";
import { Maintenance } from "../maintenance/maintenance.ts";
import { SUSPEND_POLICY } from "../domain/subscription.ts";
import type { Store } from "../service/ports/store.ts";
import type { WorkQueue } from "../service/ports/work-queue.ts";
import type { OpenedStore } from "../store/open.ts";
import { TaskRunner } from "../tasks/runner/runner.ts";
import { NO_WATCHDOG } from "../tasks/runner/watchdog.ts";
import type { Watchdog } from "../tasks/runner/watchdog.ts";
import type { AppContext } from "./app.ts";
import { CONCURRENCY, STOP_GRACE_MS } from "./limits.ts";
import type { Outbound } from "./outbound.ts";
import { watchdogThread } from "./package-root.ts";
import type { Services } from "./services.ts";
import type { TaskTypes } from "./task-types.ts";

export interface DispatcherParts {
  readonly context: AppContext;
  readonly store: Store;
  readonly outbound: Outbound;
  readonly queue: WorkQueue;
  readonly breaker: CircuitBreaker;
  /** What the URLs of the built-in test receiver begin with. */
  readonly testReceivers: () => readonly string[];
}

export function createDispatcher(parts: DispatcherParts): Dispatcher {
  const { context, store, outbound, queue, breaker, testReceivers } = parts;
  const { config, clock, emit } = context;
  const { retryPolicy, disablePolicy, events } = config;
  return new Dispatcher({
    store,
    sender: outbound.sender,
    queue,
    limits: { ...CONCURRENCY, isShared: config.accessTokens.length > 1 },
    breaker,
    testReceivers,
    retryPolicies: { standard: retryPolicy, cloudevents: retryPolicy, "mcp-events": events.retryPolicy },
    disablePolicies: { standard: disablePolicy, cloudevents: disablePolicy, "mcp-events": SUSPEND_POLICY },
    subscriptionWebhookId: events.webhookId,
    signingKeys: config.signingKeys,
    clock,
    random: Math.random,
    emit,
  });
}

export interface LoopsParts {
  readonly context: AppContext;
  readonly storage: OpenedStore;
  readonly services: Services;
  readonly taskTypes: TaskTypes;
  readonly dispatcher: Dispatcher;
}

/** Starts the loops of the queues: deliveries, tasks, leases, maintenance. They stop together with the HTTP server. */
export async function startLoops(parts: LoopsParts): Promise<void> {
  const { context, storage, services, dispatcher } = parts;
  const { config, clock, emit, lifecycle } = context;
  const { store, queues } = storage;
  dispatcher.start();
  lifecycle.addParallel("dispatcher", () => dispatcher.stop(STOP_GRACE_MS));

  await startRunner(parts);

  queues.leases.start(() => services.leasePolls.pass());
  lifecycle.addParallel("leases", () => queues.leases.stop());

  const { retentionMs } = config;
  const maintenance = new Maintenance({
    store,
    queue: queues.maintenance,
    clock,
    retentionMs,
    emit,
    termination: services.termination,
  });
  maintenance.start();
  lifecycle.addParallel("maintenance", () => maintenance.stop());
}

async function startRunner({ context, storage, services, taskTypes }: LoopsParts): Promise<void> {
  const { config, clock, emit, lifecycle } = context;
  const { store, queues, notifier } = storage;
  const watchdog = await startWatchdog(config);
  lifecycle.addParallel("watchdog", () => watchdog.stop());
  const runner = new TaskRunner({
    store,
    watchdog,
    tasks: services.tasks,
    progress: services.progress,
    catalog: taskTypes.catalog,
    concurrencyOf: taskTypes.concurrencyOf,
    runningMax: config.tasksRunningMax,
    queue: queues.tasks,
    notifier,
    clock,
    emit,
  });
  runner.start();
  lifecycle.addParallel("task runner", () => runner.stop(config.tasksStopGraceMs));
}

/** Only for modules of the operator: the built-in handlers do not block the event loop. The inspector that it needs is loaded only then. */
async function startWatchdog({ taskModules, tasksStallMs }: Config): Promise<Watchdog> {
  if (tasksStallMs === null || taskModules.length === 0) return NO_WATCHDOG;
  const { startWatchdog: start } = await import("../tasks/runner/start-watchdog.ts");
  return start(tasksStallMs, pathToFileURL(watchdogThread));
}
