import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { createAddressGuard } from "./delivery/address-guard.ts";
import { CircuitBreaker } from "./delivery/circuit-breaker.ts";
import { Dispatcher } from "./delivery/dispatcher.ts";
import { createHttpSender } from "./delivery/http-sender.ts";
import { Janitor } from "./delivery/janitor.ts";
import { createProber } from "./delivery/prober.ts";
import { createNewId } from "./domain/ids.ts";
import { createApp, listen } from "./http/server.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createMcp } from "./mcp/handler.ts";
import { createLog } from "./observability/log.ts";
import type { Log } from "./observability/log.ts";
import { createCallbacks } from "./service/callbacks.ts";
import { createDeliveries } from "./service/deliveries.ts";
import { createEventFeed } from "./service/event-feed.ts";
import type { EventFeed } from "./service/event-feed.ts";
import { createHealth } from "./service/health.ts";
import { createInbox } from "./service/inbox.ts";
import type { Prober } from "./service/callback-ports.ts";
import type { Clock, Store, WorkSource } from "./service/ports.ts";
import { createPrincipalOf } from "./service/principals.ts";
import { createProbes } from "./service/probes.ts";
import { createSecrets } from "./service/secrets.ts";
import { createTasks } from "./service/tasks.ts";
import type { Tasks } from "./service/tasks.ts";
import { openStore } from "./store/open.ts";
import type { OpenedStore } from "./store/open.ts";
import { createSecretCipher } from "./store/secret-cipher.ts";
import { createDemoTask } from "./task-runner/handlers/demo.ts";
import { createFixtureTasks } from "./task-runner/handlers/fixtures.ts";
import { createTaskRegistry } from "./task-runner/registry.ts";
import type { TaskRegistry } from "./task-runner/registry.ts";
import { TaskRunner } from "./task-runner/runner.ts";

/** After a stop, answers and attempts under way may take this long: less than the ten seconds that containers are given. */
const STOP_GRACE_MS = 8000;
/** Requests under way, in all and to one origin. */
const IN_FLIGHT = { total: 64, perOrigin: 16 };

/** One level up both from `src/` and from the bundle in `dist/`. */
const migrationsFolder = fileURLToPath(new URL("../migrations", import.meta.url));
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
export const { version } = manifest;

const newId = createNewId(systemClock.now);
/** What receivers see. */
const userAgent = `mcp-callbacks/${version}`;

export { readConfig } from "./config.ts";

export interface Running {
  /** How clients reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Resolves when everything is down. May be called twice. */
  stop(): Promise<void>;
}

/** The parts that most others are built with. */
interface House {
  readonly config: Config;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  readonly clock: Clock;
  readonly store: Store;
  readonly guard: ReturnType<typeof createAddressGuard>;
  readonly breaker: CircuitBreaker;
  readonly prober: Prober;
  readonly registry: TaskRegistry;
  readonly feed: EventFeed;
  readonly taskWork: WorkSource;
  readonly deliveryWork: WorkSource;
  readonly janitorWork: WorkSource;
}

/** The running service, put together from its parts: the store is first up and last down, the door is last up. */
export async function start(config: Config): Promise<Running> {
  const lifecycle = new Lifecycle();
  try {
    const house = await openHouse(config, lifecycle);
    const services = createServices(house);
    startMachinery(house, services.tasks);
    return await openDoors(house, services);
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}

/** Applies pending migrations, and no more. */
export async function migrate(config: Config): Promise<void> {
  const { store } = await openMigratedStore(config);
  await store.close();
}

/** What lasts, and what wakes what. */
async function openHouse(config: Config, lifecycle: Lifecycle): Promise<House> {
  const clock = systemClock;
  const log = createLog(config.logFormat, config.logLevel);
  const { announce } = log;
  const { store, createWorkSource } = await openMigratedStore(config);
  lifecycle.add("store", () => store.close());
  const left = await store.reclaim(clock.now());
  if (left.tasks + left.deliveries > 0) announce({ kind: "work.reclaimed", ...left });
  const guard = createAddressGuard({ allow: config.privateTargets });
  const prober = createProber({
    guard,
    attemptTimeoutMs: config.attemptTimeoutMs,
    userAgent,
    ca: config.callbackCa ?? undefined,
  });
  lifecycle.add("prober", () => prober.close());
  return {
    config,
    lifecycle,
    log,
    clock,
    store,
    guard,
    prober,
    breaker: new CircuitBreaker(),
    registry: createTaskRegistry([
      createDemoTask({ clock, workMs: config.demoTaskMs }),
      ...(config.testFixtures ? createFixtureTasks({ clock }) : []),
    ]),
    feed: createEventFeed(),
    taskWork: createWorkSource({ clock, announce, name: "task runner" }),
    deliveryWork: createWorkSource({ clock, announce, name: "dispatcher" }),
    janitorWork: createWorkSource({ clock, announce, name: "janitor" }),
  };
}

/** What clients can ask for. */
function createServices(house: House) {
  const { store, clock, log, guard, prober, breaker, registry, feed, taskWork, deliveryWork } = house;
  const { announce } = log;
  const wakes = { wakeRunner: () => taskWork.wake(), wakeDispatcher: () => deliveryWork.wake() };
  const callbacks = createCallbacks({ store, clock, targetPolicy: guard, announce, ...wakes });
  return {
    tasks: createTasks({ store, clock, catalog: registry, announce, feed, ...wakes }),
    secrets: createSecrets({ store, clock, announce, wakeDispatcher: wakes.wakeDispatcher }),
    callbacks,
    deliveries: createDeliveries({ store, clock, announce, ...wakes }),
    probes: createProbes({ store, callbacks, prober, clock, newId, announce }),
    inbox: createInbox({ store, clock, announce }),
    health: createHealth({ store, slowOrigins: () => breaker.slowOrigins.length }),
  };
}

/** What happens by itself. */
function startMachinery(house: House, tasks: Tasks): void {
  const { config, lifecycle, store, clock, guard, breaker, registry, feed, taskWork, deliveryWork, janitorWork } =
    house;
  const { announce } = house.log;

  const sender = createHttpSender({
    guard,
    attemptTimeoutMs: config.attemptTimeoutMs,
    connectionsPerOrigin: IN_FLIGHT.perOrigin,
    userAgent,
    ca: config.callbackCa ?? undefined,
  });
  lifecycle.add("sender", () => sender.close());

  const { retryPolicy } = config;
  const outbox = { store, sender, workSource: deliveryWork, retryPolicy, limits: IN_FLIGHT, breaker };
  const dispatcher = new Dispatcher({ ...outbox, clock, random: Math.random, announce });
  dispatcher.start();
  lifecycle.add("dispatcher", () => dispatcher.stop(STOP_GRACE_MS));

  const runner = new TaskRunner({ store, tasks, registry, workSource: taskWork, feed, clock, announce });
  runner.start();
  lifecycle.addBeside("task runner", () => runner.stop());

  const janitor = new Janitor({ store, workSource: janitorWork, clock, retentionMs: config.retentionMs, announce });
  janitor.start();
  lifecycle.addBeside("janitor", () => janitor.stop());
}

/** The ways in. */
async function openDoors(house: House, services: ReturnType<typeof createServices>): Promise<Running> {
  const { config, lifecycle, clock, log } = house;
  const { announce } = log;
  const { accessTokens, principalWithoutTokens, allowedHosts, allowedOrigins, serverName, testFixtures } = config;
  const principalOf = createPrincipalOf(accessTokens, principalWithoutTokens);
  const serverInfo = { name: "mcp-callbacks", version };

  const { runTaskWaitMs, retentionMs } = config;
  const door = { principalOf, serverInfo, allowedHosts, allowedOrigins, testFixtures };
  // A task is kept from its end on, so from its start on for that long at least.
  const taskTerms = { runTaskWaitMs, taskTtlMs: retentionMs === null ? null : Math.max(1, Math.floor(retentionMs)) };
  const mcp = createMcp({ ...services, ...door, ...taskTerms, clock, announce });
  const app = createApp({ ...services, clock, announce, principalOf, allowedHosts, serverName, mcp: mcp.handle });
  const server = await listen(app, config.host, config.port);
  // Beside the dispatcher: a POST to our own test receiver that is under way still finds it.
  lifecycle.addBeside("http", async () => {
    mcp.endStreams();
    await server.stop(STOP_GRACE_MS);
    await mcp.close();
  });

  const { port } = server;
  const url = config.publicUrl ?? `http://localhost:${port}`;
  log.ready({ url, port, tools: mcp.toolNames });
  return {
    url,
    port,
    stop() {
      log.say("👋 Stopping: what is under way may finish, the rest waits for the next start");
      return lifecycle.stop();
    },
  };
}

function openMigratedStore({ databaseUrl, secretsKeys }: Config): Promise<OpenedStore> {
  const cipher = createSecretCipher(secretsKeys);
  return openStore({ databaseUrl, migrationsFolder, newId, cipher });
}
