import { pathToFileURL } from "node:url";
import type { Config } from "../config/load.ts";
import { Dispatcher } from "../delivery/dispatcher.ts";
import { createSender } from "../outbound/sender.ts";
import { Maintenance } from "../delivery/maintenance.ts";
import { SUSPEND_POLICY } from "../domain/subscription.ts";
import { userAgent, version, watchdogThread } from "./package-root.ts";
import type { Foundation } from "./foundation.ts";
import { openHouse } from "./house.ts";
import type { House } from "./house.ts";
import { createApp } from "../http/app.ts";
import { createGate } from "../http/gate.ts";
import type { Gate, RequestHandler } from "../http/gate.ts";
import type { Mcp } from "../mcp/endpoint.ts";
import { createPrincipalOf } from "../service/principals.ts";
import type { PrincipalOf } from "../service/principals.ts";
import type { Revocation } from "../service/revocation.ts";
import { createServices } from "./services.ts";
import { TaskRunner } from "../tasks/runner/runner.ts";
import { NO_WATCHDOG } from "../tasks/runner/watchdog.ts";
import type { Watchdog } from "../tasks/runner/watchdog.ts";

/** After a stop, answers and attempts under way may take this long: less than the ten seconds that containers are given. */
const STOP_GRACE_MS = 8000;
/** Requests under way, in all and to one origin. */
const IN_FLIGHT = { total: 64, perOrigin: 16 };

/** The open port, and the gate at which all that came for us waits. */
export interface Door {
  /** How clients reach the server, without a slash at the end. */
  readonly url: string;
  readonly gate: Gate;
  /** Lets the answers under way go out within `graceMs`, then closes what is left. May be called twice. */
  stop(graceMs: number): Promise<void>;
}

type Services = ReturnType<typeof createServices>;

/** All that is behind the door, which opens when those who come can be answered. Resolves with the names of the tools when MCP can be. */
export async function furnish(foundation: Foundation, door: Door): Promise<readonly string[]> {
  const house = await openHouse(foundation);
  const dispatcher = createDispatcher(house);
  const services = createServices(house, () => dispatcher.openReservation());
  await revokeStrangers(house, services.revocation);
  // Only now can workers reach us to renew them.
  await house.store.prolongLeases(house.clock.now() + house.config.workerLeaseMs);
  await startMachinery(house, services, dispatcher);
  return openGates(house, services, door);
}

/** With tokens, whoever has none any more has lost access while we were down. Without any we cannot tell who belongs here. */
async function revokeStrangers({ config, lifecycle }: House, revocation: Revocation): Promise<void> {
  if (config.accessTokens.length === 0) return;
  const { told } = await revocation.revokeOthers(config.accessTokens.map(({ name }) => name));
  lifecycle.addBeside("revocation", () => told);
}

function createDispatcher({ config, lifecycle, store, clock, guard, breaker, deliveryWork, log }: House): Dispatcher {
  const sender = createSender({
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
    signingKeys: config.signingKeys,
  };
  const outbox = { store, sender, workSource: deliveryWork, limits: IN_FLIGHT, breaker, ...policies };
  return new Dispatcher({ ...outbox, clock, random: Math.random, emit: log.emit });
}

/** What happens by itself. */
async function startMachinery(
  house: House,
  { tasks, workerQueue, termination }: Services,
  dispatcher: Dispatcher,
): Promise<void> {
  const { config, lifecycle, store, clock, catalog, feed, taskWork, maintenanceWork } = house;
  const { emit } = house.log;

  dispatcher.start();
  lifecycle.add("dispatcher", () => dispatcher.stop(STOP_GRACE_MS));

  const watchdog = await openWatchdog(config);
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
    emit,
  });
  runner.start();
  lifecycle.addBeside("task runner", () => runner.stop(config.tasksStopGraceMs));

  house.workerWork.start(() => workerQueue.pass());
  lifecycle.addBeside("workers", () => house.workerWork.stop());

  const { retentionMs } = config;
  const maintenance = new Maintenance({ store, workSource: maintenanceWork, clock, retentionMs, emit, termination });
  maintenance.start();
  lifecycle.addBeside("janitor", () => maintenance.stop());
}

/** Only for handlers that are not ours: ours do yield. Nobody else loads what it needs, the inspector among it. */
async function openWatchdog({ taskModules, tasksStallMs }: Config): Promise<Watchdog> {
  if (tasksStallMs === null || taskModules.length === 0) return NO_WATCHDOG;
  const { startWatchdog } = await import("../tasks/runner/start-watchdog.ts");
  return startWatchdog(tasksStallMs, pathToFileURL(watchdogThread));
}

/** MCP has a gate of its own, since its code is a third of all. */
async function openGates(house: House, services: Services, door: Door): Promise<readonly string[]> {
  const { config, lifecycle } = house;
  const principalOf = createPrincipalOf(config.accessTokens, config.principalWithoutTokens);
  const mcpGate = createGate();
  let mcp: Mcp | null = null;
  // Beside the dispatcher: a POST to our own test receiver that is under way still finds it.
  lifecycle.addBeside("http", async () => {
    mcp?.endStreams();
    services.workerQueue.dismiss();
    // Without MCP the start has failed, and what waits for it has nothing to wait for.
    await door.stop(mcp === null ? 0 : STOP_GRACE_MS);
    await mcp?.close();
  });
  door.gate.open(createHttpDoor(house, services, principalOf, door, mcpGate.handle));
  mcp = await createMcpDoor(house, services, principalOf, door);
  mcpGate.open(mcp.handle);
  return mcp.toolNames;
}

async function createMcpDoor(
  { config, clock, log }: House,
  services: Services,
  principalOf: PrincipalOf,
  door: Door,
): Promise<Mcp> {
  const { createMcp } = await import("../mcp/endpoint.ts");
  const { allowedHosts, allowedOrigins, toolSet, testFixtures, runTaskWaitMs, retentionMs, events } = config;
  return createMcp({
    ...services,
    principalOf,
    serverInfo: { name: "mcp-callbacks", version },
    allowedHosts,
    allowedOrigins,
    toolSet,
    testFixtures,
    runTaskWaitMs,
    // A task is kept from its end on, so from its start on for that long at least.
    taskTtlMs: retentionMs === null ? null : Math.max(1, Math.floor(retentionMs)),
    errorCodes: events.errorCodes,
    unknownUnsubscribe: events.unknownUnsubscribe,
    completionUrlOf: (token) => `${door.url}/complete/${token}`,
    clock,
    emit: log.emit,
  });
}

function createHttpDoor(
  { config, clock, log, health }: House,
  services: Services,
  principalOf: PrincipalOf,
  door: Door,
  mcp: RequestHandler,
) {
  const { accessTokens, workerTokens, allowedHosts, serverName, signingKeys } = config;
  return createApp({
    ...services,
    health,
    mcp,
    principalOf,
    workerOf: workerTokens.length === 0 ? null : createPrincipalOf(workerTokens, "anonymous"),
    allowedHosts,
    serverName,
    needsToken: accessTokens.length > 0,
    publicKeys: signingKeys.map(({ publicKey }) => publicKey),
    openApi: () => ({ title: "mcp-callbacks", version, url: door.url }),
    clock,
    emit: log.emit,
  });
}
