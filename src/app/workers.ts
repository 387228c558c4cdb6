import { pathToFileURL } from "node:url";
import type { Config } from "../config/config.ts";
import type { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import { Dispatcher } from "../delivery/dispatcher.ts";
import { Maintenance } from "../delivery/maintenance.ts";
import { SUSPEND_POLICY } from "../domain/subscription.ts";
import type { EventFeed } from "../service/event-feed.ts";
import type { Store } from "../service/ports/store.ts";
import type { WorkQueue, WorkQueues } from "../service/ports/work-queue.ts";
import { TaskRunner } from "../tasks/runner/runner.ts";
import { NO_WATCHDOG } from "../tasks/runner/watchdog.ts";
import type { Watchdog } from "../tasks/runner/watchdog.ts";
import type { Platform } from "./app.ts";
import type { Outbound } from "./outbound.ts";
import { watchdogThread } from "./package-root.ts";
import type { Services } from "./services.ts";
import type { TaskTypes } from "./task-types.ts";

/** After a stop, answers and attempts under way may take this long: less than the ten seconds that containers are given. */
export const STOP_GRACE_MS = 8000;
/** Requests of deliveries under way, in all and to one origin. */
export const CONCURRENCY = { total: 64, perOrigin: 16 };

export interface DispatcherParts {
  readonly platform: Platform;
  readonly store: Store;
  readonly outbound: Outbound;
  readonly queue: WorkQueue;
  readonly breaker: CircuitBreaker;
}

export function createDispatcher({ platform, store, outbound, queue, breaker }: DispatcherParts): Dispatcher {
  const { config, clock, emit } = platform;
  const { retryPolicy, disablePolicy, events } = config;
  return new Dispatcher({
    store,
    sender: outbound.sender,
    workSource: queue,
    limits: CONCURRENCY,
    breaker,
    retryPolicies: { standard: retryPolicy, cloudevents: retryPolicy, "mcp-events": events.retryPolicy },
    disablePolicies: { standard: disablePolicy, cloudevents: disablePolicy, "mcp-events": SUSPEND_POLICY },
    subscriptionWebhookId: events.webhookId,
    signingKeys: config.signingKeys,
    clock,
    random: Math.random,
    emit,
  });
}

export interface WorkersParts {
  readonly platform: Platform;
  readonly store: Store;
  readonly services: Services;
  readonly taskTypes: TaskTypes;
  readonly queues: WorkQueues;
  readonly dispatcher: Dispatcher;
  readonly feed: EventFeed;
}

/** Starts the loops that work without being asked: deliveries, tasks, leases, maintenance. They stop together with the doors. */
export async function startWorkers(parts: WorkersParts): Promise<void> {
  const { platform, store, services, queues, dispatcher } = parts;
  const { config, clock, emit, lifecycle } = platform;
  dispatcher.start();
  lifecycle.addParallel("dispatcher", () => dispatcher.stop(STOP_GRACE_MS));

  await startRunner(parts);

  queues.leases.start(() => services.workerQueue.pass());
  lifecycle.addParallel("leases", () => queues.leases.stop());

  const { retentionMs } = config;
  const maintenance = new Maintenance({
    store,
    workSource: queues.maintenance,
    clock,
    retentionMs,
    emit,
    termination: services.termination,
  });
  maintenance.start();
  lifecycle.addParallel("maintenance", () => maintenance.stop());
}

async function startRunner({ platform, store, services, taskTypes, queues, feed }: WorkersParts): Promise<void> {
  const { config, clock, emit, lifecycle } = platform;
  const watchdog = await startWatchdog(config);
  lifecycle.addParallel("watchdog", () => watchdog.stop());
  const runner = new TaskRunner({
    store,
    watchdog,
    tasks: services.tasks,
    catalog: taskTypes.catalog,
    concurrencyOf: taskTypes.concurrencyOf,
    runningMax: config.tasksRunningMax,
    workSource: queues.tasks,
    feed,
    clock,
    emit,
  });
  runner.start();
  lifecycle.addParallel("task runner", () => runner.stop(config.tasksStopGraceMs));
}

/** Only for the operator's own handlers: those built in do yield. What it needs (the inspector) is loaded only then. */
async function startWatchdog({ taskModules, tasksStallMs }: Config): Promise<Watchdog> {
  if (tasksStallMs === null || taskModules.length === 0) return NO_WATCHDOG;
  const { startWatchdog: start } = await import("../tasks/runner/start-watchdog.ts");
  return start(tasksStallMs, pathToFileURL(watchdogThread));
}
