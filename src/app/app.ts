/** The composition root: the parts of the service, in the order in which they start. It connects them and decides nothing. */
import type { Config } from "../config/config.ts";
import { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import { createFanOut } from "../observability/fan-out.ts";
import { createLog } from "../observability/log.ts";
import type { Log } from "../observability/log.ts";
import { systemClock } from "../runtime/clock.ts";
import { Lifecycle } from "../runtime/lifecycle.ts";
import { nodeVersionWarning } from "../runtime/node-version.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { Store } from "../service/ports/store.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import { openDoors } from "./doors.ts";
import { createOutbound } from "./outbound.ts";
import { createServices, revokeRemovedTokens } from "./services.ts";
import { openMigratedStore } from "./store.ts";
import { loadTaskTypes } from "./task-types.ts";
import { testReceiverBases } from "./test-receiver.ts";
import { createDispatcher, startWorkers } from "./workers.ts";

export { readConfig } from "../config/load.ts";

/** A shorter token gets a warning at the start. */
const SAFE_TOKEN_CHARS = 20;

export interface App {
  /** How clients reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Resolves when every part has stopped. May be called twice. */
  stop(): Promise<void>;
}

/** What every part gets. */
export interface Platform {
  readonly config: Config;
  readonly clock: Clock;
  readonly emit: Emit;
  /** A part adds its stop right after its start; parts stop in reverse order. */
  readonly lifecycle: Lifecycle;
}

/**
 * Starts the service: telemetry, store, outbound, task types, services, doors, workers. Resolves when it listens and MCP answers.
 * Rejects with a `StartError` or `ConfigError` that says what prevents the start, after the parts that had started have stopped.
 */
export async function createApp(config: Config): Promise<App> {
  const log = createLog(config.logFormat, config.logLevel, { now: config.isTerminal ? systemClock.now : undefined });
  const emit = createFanOut([log.emit]);
  const lifecycle = new Lifecycle();
  const platform = { config, clock: systemClock, emit, lifecycle };
  try {
    const { url, port, toolNames } = await start(platform);
    log.ready({ url, port, tools: toolNames });
    for (const note of config.targetNotes) log.info(note);
    warn(log, config, url);
    return {
      url,
      port,
      stop() {
        log.info("👋 Stopping: work under way may finish, everything else waits for the next start");
        return lifecycle.stop();
      },
    };
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}

async function start(platform: Platform) {
  const { config, clock, emit, lifecycle } = platform;

  const storage = await openMigratedStore(config, emit);
  const { store, queues } = storage;
  lifecycle.add("store", () => store.close());
  await recoverOrphans(store, platform);

  const outbound = createOutbound(config);
  lifecycle.add("outbound", () => outbound.close());

  const taskTypes = await loadTaskTypes(platform, outbound.client);

  const breaker = new CircuitBreaker(() => queues.deliveries.wake());
  // The port may be known only once the server listens. The dispatcher starts after that.
  let receivers: readonly string[] = [];
  const testReceivers = () => receivers;
  const dispatcher = createDispatcher({
    platform,
    store,
    outbound,
    queue: queues.deliveries,
    breaker,
    testReceivers,
  });
  const services = createServices({ platform, storage, outbound, taskTypes, dispatcher, breaker });
  await revokeRemovedTokens(platform, services.revocation);

  // External workers can renew their leases from now on.
  await store.prolongLeases(clock.now() + config.workerLeaseMs);
  const doors = await openDoors(platform, services);
  receivers = testReceiverBases(config, doors.port);
  await startWorkers({ platform, storage, services, taskTypes, dispatcher });
  return doors;
}

/** Tasks and deliveries that the last process left running or sending are pending again. */
async function recoverOrphans(store: Store, { clock, emit }: Platform): Promise<void> {
  const recovered = await store.recoverOrphans(clock.now());
  if (recovered.tasks + recovered.deliveries > 0) emit({ kind: "work.recovered", ...recovered });
}

function warn(log: Log, config: Config, url: string): void {
  const nodeWarning = nodeVersionWarning(process.versions.node);
  if (nodeWarning !== null) log.warn(nodeWarning);
  const short = [...config.accessTokens, ...config.workerTokens].filter(({ token }) => token.length < SAFE_TOKEN_CHARS);
  if (short.length > 0) {
    const names = short.map(({ name }) => name).join(", ");
    log.warn(`Tokens of fewer than ${SAFE_TOKEN_CHARS} characters can be guessed; set longer ones for: ${names}`);
  }
  if (config.isExposedWithoutTokens) {
    log.warn(
      `PUBLIC_URL is ${url}, and there are no AUTH_TOKENS: any client that reaches it has full access. Set AUTH_TOKENS, or ALLOW_ANONYMOUS=true if that is intended.`,
    );
  }
}
