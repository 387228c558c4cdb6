import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "./config.ts";
import { Dispatcher } from "./delivery/dispatcher.ts";
import { createHttpSender } from "./delivery/http-sender.ts";
import { Janitor } from "./delivery/janitor.ts";
import { SUSPEND_POLICY } from "./domain/subscription.ts";
import { createApp, listen } from "./http/server.ts";
import type { McpHandler } from "./http/server.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Mcp } from "./mcp/handler.ts";
import { createPrincipalOf } from "./service/principals.ts";
import type { PrincipalOf } from "./service/principals.ts";
import type { Revocation } from "./service/revocation.ts";
import { TaskRunner } from "./task-runner/runner.ts";
import { NO_WATCHDOG, startWatchdog } from "./task-runner/watchdog.ts";
import type { Watchdog } from "./task-runner/watchdog.ts";
import { openHouse, openMigratedStore, userAgent, version } from "./house.ts";
import type { House } from "./house.ts";
import { createServices } from "./services.ts";

/** After a stop, answers and attempts under way may take this long: less than the ten seconds that containers are given. */
const STOP_GRACE_MS = 8000;
/** Requests under way, in all and to one origin. */
const IN_FLIGHT = { total: 64, perOrigin: 16 };
/** Who waited for the port is answered before the code for MCP takes the thread for a while. A request for MCP ends the wait. */
const FIRST_ANSWERS_MS = 25;

export { readConfig } from "./config.ts";
export { version } from "./house.ts";

export interface Running {
  /** How clients reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Resolves when everything is down. May be called twice. */
  stop(): Promise<void>;
}

type Services = ReturnType<typeof createServices>;

/** The running service, put together from its parts: the store is first up and last down, the door is last up. */
export async function start(config: Config): Promise<Running> {
  const lifecycle = new Lifecycle();
  try {
    const house = await openHouse(config, lifecycle);
    const services = createServices(house);
    await revokeStrangers(house, services.revocation);
    startMachinery(house, services);
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

/** With tokens, whoever has none any more has lost access while we were down. Without any we cannot tell who belongs here. */
async function revokeStrangers({ config, lifecycle }: House, revocation: Revocation): Promise<void> {
  if (config.accessTokens.length === 0) return;
  const { told } = await revocation.revokeOthers(config.accessTokens.map(({ name }) => name));
  lifecycle.addBeside("revocation", () => told);
}

/** What happens by itself. */
function startMachinery(house: House, { tasks, workerQueue }: Services): void {
  const { config, lifecycle, store, clock, guard, breaker, catalog, feed, taskWork, deliveryWork, janitorWork } = house;
  const { announce } = house.log;

  const sender = createHttpSender({
    guard,
    attemptTimeoutMs: config.attemptTimeoutMs,
    connectionsPerOrigin: IN_FLIGHT.perOrigin,
    userAgent,
    ca: config.callbackCa ?? undefined,
  });
  lifecycle.add("sender", () => sender.close());

  const { retryPolicy, disablePolicy, events } = config;
  const policies = {
    retryPolicies: { standard: retryPolicy, cloudevents: retryPolicy, "mcp-events": events.retryPolicy },
    disablePolicies: { standard: disablePolicy, cloudevents: disablePolicy, "mcp-events": SUSPEND_POLICY },
    subscriptionWebhookId: events.webhookId,
  };
  const outbox = { store, sender, workSource: deliveryWork, limits: IN_FLIGHT, breaker, ...policies };
  const dispatcher = new Dispatcher({ ...outbox, clock, random: Math.random, announce });
  dispatcher.start();
  lifecycle.add("dispatcher", () => dispatcher.stop(STOP_GRACE_MS));

  const watchdog = openWatchdog(config);
  lifecycle.addBeside("watchdog", () => watchdog.stop());

  const runner = new TaskRunner({
    store,
    watchdog,
    tasks,
    catalog,
    runningMax: config.tasksRunningMax,
    concurrencyOf: house.concurrencyOf,
    workSource: taskWork,
    feed,
    clock,
    announce,
  });
  runner.start();
  lifecycle.addBeside("task runner", () => runner.stop(config.tasksStopGraceMs));

  house.workerWork.start(() => workerQueue.pass());
  lifecycle.addBeside("workers", () => house.workerWork.stop());

  const janitor = new Janitor({ store, workSource: janitorWork, clock, retentionMs: config.retentionMs, announce });
  janitor.start();
  lifecycle.addBeside("janitor", () => janitor.stop());
}

/** Only for handlers that are not ours: ours do yield. */
function openWatchdog({ taskModules, tasksStallMs }: Config): Watchdog {
  if (tasksStallMs === null || taskModules.length === 0) return NO_WATCHDOG;
  // Beside this file both in the sources and in the bundle.
  const file = `./task-runner/watchdog-thread${extname(import.meta.url)}`;
  return startWatchdog(tasksStallMs, new URL(file, import.meta.url));
}

/** The ways in. MCP follows when the port is open: its code is a third of a start, and its requests wait for it. */
async function openDoors(house: House, services: Services): Promise<Running> {
  const { config, lifecycle, log } = house;
  // Known once it listens, which is before anybody can ask.
  const address = { url: config.publicUrl ?? "" };
  const principalOf = createPrincipalOf(config.accessTokens, config.principalWithoutTokens);
  const gate = createGate();
  const app = createHttpDoor(house, services, principalOf, address, gate.handle);
  const server = await listen(app, config.host, config.port);
  const { port } = server;
  address.url = config.publicUrl ?? `http://localhost:${port}`;
  if (config.isOpenUnawares) {
    log.warn(
      `PUBLIC_URL is ${address.url}, and there are no AUTH_TOKENS: whoever reaches it may do everything. Set AUTH_TOKENS, or ALLOW_ANONYMOUS=true if that is meant.`,
    );
  }
  let mcp: Mcp | null = null;
  // Beside the dispatcher: a POST to our own test receiver that is under way still finds it.
  lifecycle.addBeside("http", async () => {
    mcp?.endStreams();
    services.workerQueue.dismiss();
    // Without MCP the start has failed, and what waits for it has nothing to wait for.
    await server.stop(mcp === null ? 0 : STOP_GRACE_MS);
    await mcp?.close();
  });
  await Promise.race([gate.firstRequest, sleep(FIRST_ANSWERS_MS)]);
  mcp = await createMcpDoor(house, services, principalOf, address);
  gate.open(mcp.handle);
  log.ready({ url: address.url, port, tools: mcp.toolNames });
  return {
    url: address.url,
    port,
    stop() {
      log.say("👋 Stopping: what is under way may finish, the rest waits for the next start");
      return lifecycle.stop();
    },
  };
}

/** Where requests wait until there is somebody to answer them; from then on it is not in their way. */
function createGate() {
  const asked = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let answer: McpHandler = async (request, response) => {
    asked.resolve();
    await opened.promise;
    await answer(request, response);
  };
  const handle: McpHandler = (request, response) => answer(request, response);
  return {
    firstRequest: asked.promise,
    handle,
    open(handler: McpHandler): void {
      answer = handler;
      opened.resolve();
    },
  };
}

/** `url`: how clients reach the server. */
type Address = { readonly url: string };

async function createMcpDoor(
  { config, clock, log }: House,
  services: Services,
  principalOf: PrincipalOf,
  address: Address,
): Promise<Mcp> {
  const { createMcp } = await import("./mcp/handler.ts");
  const { allowedHosts, allowedOrigins, testFixtures, runTaskWaitMs, retentionMs, events } = config;
  return createMcp({
    ...services,
    principalOf,
    serverInfo: { name: "mcp-callbacks", version },
    allowedHosts,
    allowedOrigins,
    testFixtures,
    runTaskWaitMs,
    // A task is kept from its end on, so from its start on for that long at least.
    taskTtlMs: retentionMs === null ? null : Math.max(1, Math.floor(retentionMs)),
    errorCodes: events.errorCodes,
    unknownUnsubscribe: events.unknownUnsubscribe,
    completionUrlOf: (token) => `${address.url}/complete/${token}`,
    clock,
    announce: log.announce,
  });
}

function createHttpDoor(
  { config, clock, log }: House,
  services: Services,
  principalOf: PrincipalOf,
  address: Address,
  mcp: McpHandler,
) {
  const { workerTokens, allowedHosts, serverName } = config;
  return createApp({
    ...services,
    mcp,
    principalOf,
    workerOf: workerTokens.length === 0 ? null : createPrincipalOf(workerTokens, "anonymous"),
    allowedHosts,
    serverName,
    openApi: () => ({ title: "mcp-callbacks", version, url: address.url }),
    clock,
    announce: log.announce,
  });
}
