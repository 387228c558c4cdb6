/** The composition root: the parts of the service, in the order in which they start. It connects them and decides nothing. */
import type { Config } from "../config/config.ts";
import { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import { StartError, StoreUnavailable } from "../domain/errors.ts";
import { createEmit } from "../observability/listeners.ts";
import { createLog } from "../observability/log.ts";
import type { Log } from "../observability/log.ts";
import { systemClock } from "../runtime/clock.ts";
import { Lifecycle } from "../runtime/lifecycle.ts";
import { nodeVersionWarning } from "../runtime/node-version.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { Store } from "../service/ports/store.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import { startHttp } from "./http.ts";
import { createOutbound } from "./outbound.ts";
import { createServices, revokeRemovedTokens } from "./services.ts";
import { openMigratedStore } from "./store.ts";
import { loadTaskTypes } from "./task-types.ts";
import { createDispatcher, startLoops } from "./loops.ts";
import { testReceiverBases } from "./test-receiver.ts";

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
export interface AppContext {
  readonly config: Config;
  readonly clock: Clock;
  readonly emit: Emit;
  /** A part adds its stop right after its start; parts stop in reverse order. */
  readonly lifecycle: Lifecycle;
}

/**
 * Starts the service: telemetry, store, outbound, task types, services, HTTP server, workers. Resolves when it listens and MCP answers.
 * Rejects with a `StartError` or `ConfigError` that says what prevents the start, after the parts that had started have stopped.
 */
export async function createApp(config: Config): Promise<App> {
  const log = createLog(config.logFormat, config.logLevel, { now: config.isTerminal ? systemClock.now : undefined });
  const emit = createEmit([log.emit]);
  const lifecycle = new Lifecycle();
  const context = { config, clock: systemClock, emit, lifecycle };
  try {
    const { url, port, toolNames, storeWarning } = await start(context);
    log.ready({ url, port, tools: toolNames });
    for (const note of config.targetNotes) log.info(note);
    if (storeWarning !== null) log.warn(storeWarning);
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
    throw asStartError(error);
  }
}

async function start(context: AppContext) {
  const { config, clock, emit, lifecycle } = context;

  const storage = await openMigratedStore(config, emit);
  const { store, queues } = storage;
  lifecycle.add("store", () => store.close());
  await recoverInterrupted(store, context);

  const outbound = createOutbound(config);
  lifecycle.add("outbound", () => outbound.close());

  const taskTypes = await loadTaskTypes(context, outbound.client);

  const breaker = new CircuitBreaker(() => queues.deliveries.wake());
  // The port may be known only once the server listens. The dispatcher starts after that.
  let receivers: readonly string[] = [];
  const testReceivers = () => receivers;
  const dispatcher = createDispatcher({
    context,
    store,
    outbound,
    queue: queues.deliveries,
    breaker,
    testReceivers,
  });
  const services = createServices({ context, storage, outbound, taskTypes, dispatcher, breaker });
  await revokeRemovedTokens(context, services.revocation);

  // External workers can renew their leases from now on.
  await store.prolongLeases(clock.now() + config.workerLeaseMs);
  const server = await startHttp(context, services);
  receivers = testReceiverBases(config, server.port);
  await startLoops({ context, storage, services, taskTypes, dispatcher });
  return { ...server, storeWarning: storage.warning };
}

/** A full disk may be noticed by the first write after the opening. */
function asStartError(error: unknown): unknown {
  if (!(error instanceof StoreUnavailable)) return error;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return new StartError(
    `${error.message}${cause}; free some room on its disk, or look at its permissions, and start again.`,
  );
}

/** Tasks and deliveries that the last process left running or sending are pending again. */
async function recoverInterrupted(store: Store, { clock, emit }: AppContext): Promise<void> {
  const recovered = await store.recoverInterrupted(clock.now());
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
