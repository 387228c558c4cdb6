import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "./clock.ts";
import { ConfigError } from "./config.ts";
import type { Config } from "./config.ts";
import { createAddressGuard } from "./delivery/address-guard.ts";
import { createChallenger } from "./delivery/challenger.ts";
import { createHttpRequester } from "./delivery/http-requester.ts";
import { CircuitBreaker } from "./delivery/circuit-breaker.ts";
import { createProber } from "./delivery/prober.ts";
import { createNewId } from "./domain/ids.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { createLog } from "./observability/log.ts";
import type { Log } from "./observability/log.ts";
import type { Prober } from "./service/callback-ports.ts";
import { createEventFeed } from "./service/event-feed.ts";
import type { EventFeed } from "./service/event-feed.ts";
import type { HttpRequester } from "./service/http-requester.ts";
import { joinCatalogs } from "./service/join-catalogs.ts";
import type { Clock, Store, WorkSource } from "./service/ports.ts";
import type { Challenger } from "./service/subscription-ports.ts";
import type { TaskCatalog, TaskType } from "./service/task-types.ts";
import { openStore } from "./store/open.ts";
import type { OpenedStore } from "./store/open.ts";
import { createSecretCipher } from "./store/secret-cipher.ts";
import { createDemoTask } from "./task-runner/handlers/demo.ts";
import { externalTask } from "./task-runner/handlers/external.ts";
import { createFixtureTasks } from "./task-runner/handlers/fixtures.ts";
import { createHttpRequestTask } from "./task-runner/handlers/http-request.ts";
import { createTaskRegistry } from "./task-runner/registry.ts";
import type { UpstreamCatalog, UpstreamCatalogNeeds } from "./upstream/catalog.ts";

/** The parts that most others are built with. */
export interface House {
  readonly config: Config;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  readonly clock: Clock;
  readonly store: Store;
  readonly guard: ReturnType<typeof createAddressGuard>;
  readonly breaker: CircuitBreaker;
  readonly prober: Prober;
  readonly challenger: Challenger;
  readonly catalog: TaskCatalog;
  /** How many of a type run at once; null: only the bound for all. */
  readonly concurrencyOf: (taskType: string) => number | null;
  readonly feed: EventFeed;
  readonly taskWork: WorkSource;
  readonly workerWork: WorkSource;
  readonly deliveryWork: WorkSource;
  readonly janitorWork: WorkSource;
}

type CatalogNeeds = Omit<UpstreamCatalogNeeds, "upstreams">;

/** Of task types that are there only when a setting says so: nobody else gets these names. */
const RESERVED_TASK_TYPES = ["http_request"];

/** One level up both from `src/` and from the bundle in `dist/`. */
const migrationsFolder = fileURLToPath(new URL("../migrations", import.meta.url));
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
export const { version } = manifest;

export const newId = createNewId(systemClock.now);
/** What receivers see. */
export const userAgent = `mcp-callbacks/${version}`;

/** What lasts, and what wakes what. */
export async function openHouse(config: Config, lifecycle: Lifecycle): Promise<House> {
  const clock = systemClock;
  const log = createLog(config.logFormat, config.logLevel);
  const { announce } = log;
  const guard = createAddressGuard({ allow: config.privateTargets });
  const requester = createHttpRequester({ guard, userAgent, ca: config.callbackCa ?? undefined });
  lifecycle.add("http requester", () => requester.close());
  const own = await taskTypesOf(config, clock, requester);
  const concurrency = new Map(
    own.flatMap((type) => (type.concurrency === null ? [] : [[type.name, type.concurrency] as const])),
  );
  const upstreams = await upstreamsOf(config, lifecycle, { version, clock, announce });
  const { store, createWorkSource } = await openMigratedStore(config);
  lifecycle.add("store", () => store.close());
  const now = clock.now();
  await store.prolongLeases(now + config.workerLeaseMs);
  const left = await store.reclaim(now);
  if (left.tasks + left.deliveries > 0) announce({ kind: "work.reclaimed", ...left });
  const receivers = { guard, attemptTimeoutMs: config.attemptTimeoutMs, userAgent, ca: config.callbackCa ?? undefined };
  const prober = createProber(receivers);
  lifecycle.add("prober", () => prober.close());
  const challenger = createChallenger(receivers);
  lifecycle.add("challenger", () => challenger.close());
  return {
    config,
    lifecycle,
    log,
    clock,
    store,
    guard,
    prober,
    challenger,
    breaker: new CircuitBreaker(),
    catalog: joinCatalogs([createTaskRegistry(own), ...(upstreams === null ? [] : [upstreams])]),
    concurrencyOf: (taskType) => concurrency.get(taskType) ?? upstreams?.concurrencyOf(taskType) ?? null,
    feed: createEventFeed(),
    taskWork: createWorkSource({ clock, announce, name: "task runner" }),
    workerWork: createWorkSource({ clock, announce, name: "workers" }),
    deliveryWork: createWorkSource({ clock, announce, name: "dispatcher" }),
    janitorWork: createWorkSource({ clock, announce, name: "janitor" }),
  };
}

/** The task types that are built in, and those of the operator's modules. */
async function taskTypesOf(config: Config, clock: Clock, requester: HttpRequester): Promise<TaskType[]> {
  const { demoTaskMs, httpTasks, testFixtures, taskModules } = config;
  const builtIn = [
    createDemoTask({ clock, workMs: demoTaskMs }),
    externalTask,
    ...(httpTasks ? [createHttpRequestTask({ requester })] : []),
    ...(testFixtures ? createFixtureTasks({ clock }) : []),
  ];
  if (taskModules.length === 0) return builtIn;
  // Not loaded without a module, as with upstream servers below: it comes with a zod that is shared with the modules.
  const { loadTaskModules } = await import("./task-modules/load.ts");
  const taken = [...builtIn.map(({ name }) => name), ...RESERVED_TASK_TYPES];
  const { types, problems } = await loadTaskModules({ modules: taskModules, taken });
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `TASKS_MODULE ${problem}`).join("\n"));
  return [...builtIn, ...types];
}

/** Loaded only where there are upstream servers: the SDK's client is a fifth of all our code, and most have none. */
async function upstreamsOf(
  { upstreams }: Config,
  lifecycle: Lifecycle,
  needs: CatalogNeeds,
): Promise<UpstreamCatalog | null> {
  if (upstreams.length === 0) return null;
  const { createUpstreamCatalog } = await import("./upstream/catalog.ts");
  const catalog = createUpstreamCatalog({ upstreams, ...needs });
  lifecycle.addBeside("upstreams", () => catalog.stop());
  return catalog;
}

export function openMigratedStore({ databaseUrl, secretsKeys }: Config): Promise<OpenedStore> {
  const cipher = createSecretCipher(secretsKeys);
  return openStore({ databaseUrl, migrationsFolder, newId, cipher });
}
