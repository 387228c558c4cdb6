import type { Config } from "./config.ts";
import { Dispatcher } from "./delivery/dispatcher.ts";
import { createHttpSender } from "./delivery/http-sender.ts";
import { Janitor } from "./delivery/janitor.ts";
import { SUSPEND_POLICY } from "./domain/subscription.ts";
import { createApp, listen } from "./http/server.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createMcp } from "./mcp/handler.ts";
import { createPrincipalOf } from "./service/principals.ts";
import type { Revocation } from "./service/revocation.ts";
import type { Tasks } from "./service/tasks.ts";
import { TaskRunner } from "./task-runner/runner.ts";
import { openHouse, openMigratedStore, userAgent, version } from "./house.ts";
import type { House } from "./house.ts";
import { createServices } from "./services.ts";

/** After a stop, answers and attempts under way may take this long: less than the ten seconds that containers are given. */
const STOP_GRACE_MS = 8000;
/** Requests under way, in all and to one origin. */
const IN_FLIGHT = { total: 64, perOrigin: 16 };

export { readConfig } from "./config.ts";
export { version } from "./house.ts";

export interface Running {
  /** How clients reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Resolves when everything is down. May be called twice. */
  stop(): Promise<void>;
}

/** The running service, put together from its parts: the store is first up and last down, the door is last up. */
export async function start(config: Config): Promise<Running> {
  const lifecycle = new Lifecycle();
  try {
    const house = await openHouse(config, lifecycle);
    const services = createServices(house);
    await revokeStrangers(house, services.revocation);
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

/** With tokens, whoever has none any more has lost access while we were down. Without any we cannot tell who belongs here. */
async function revokeStrangers({ config, lifecycle }: House, revocation: Revocation): Promise<void> {
  if (config.accessTokens.length === 0) return;
  const { told } = await revocation.revokeOthers(config.accessTokens.map(({ name }) => name));
  lifecycle.addBeside("revocation", () => told);
}

/** What happens by itself. */
function startMachinery(house: House, tasks: Tasks): void {
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

  const runner = new TaskRunner({ store, tasks, catalog, workSource: taskWork, feed, clock, announce });
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

  const { errorCodes, unknownUnsubscribe } = config.events;
  const { runTaskWaitMs, retentionMs } = config;
  const door = { principalOf, serverInfo, allowedHosts, allowedOrigins, testFixtures };
  // A task is kept from its end on, so from its start on for that long at least.
  const taskTerms = { runTaskWaitMs, taskTtlMs: retentionMs === null ? null : Math.max(1, Math.floor(retentionMs)) };
  const eventsTerms = { errorCodes, unknownUnsubscribe };
  const mcp = createMcp({ ...services, ...door, ...taskTerms, ...eventsTerms, clock, announce });
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
