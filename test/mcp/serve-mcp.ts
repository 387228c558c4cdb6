import { createServer } from "node:http";
import { onTestFinished } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import type { PrivateTargets } from "../../src/outbound/address-ranges.ts";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { createEndpointVerifier } from "../../src/outbound/endpoint-verifier.ts";
import { createReceiverTester } from "../../src/outbound/receiver-tester.ts";
import { createNewId } from "../../src/domain/ids.ts";
import type { RetryPolicy } from "../../src/domain/retry.ts";
import type { LifetimePolicy } from "../../src/domain/subscription.ts";
import type { Progress, Task, TaskOutcome } from "../../src/domain/task.ts";
import { createMcp } from "../../src/mcp/endpoint.ts";
import type { McpParts } from "../../src/mcp/endpoint.ts";
import { authenticateByToken } from "../../src/mcp/request-guard.ts";
import type { Authenticate } from "../../src/mcp/request-guard.ts";
import { createCallbacks } from "../../src/service/callbacks.ts";
import { createCompletions } from "../../src/service/completions.ts";
import { createDeliveries } from "../../src/service/deliveries.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createEvents } from "../../src/service/events.ts";
import { createSubscriptions } from "../../src/service/subscriptions.ts";
import { createVerification } from "../../src/service/verification.ts";
import type { Store } from "../../src/service/ports/store.ts";
import type { OpenedStore } from "../../src/store/open.ts";
import type { WorkQueues } from "../../src/service/ports/work-queue.ts";
import { createPrincipalOf } from "../../src/service/principals.ts";
import type { AccessToken } from "../../src/service/principals.ts";
import { createReceiverTests } from "../../src/service/receiver-tests.ts";
import { createSecrets } from "../../src/service/secrets.ts";
import { createTaskRegistry } from "../../src/tasks/runner/registry.ts";
import { aTaskType } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import type { FakeClock } from "../support/clock.ts";
import { failingWith } from "../support/resolve.ts";
import { openTestStorage } from "../support/sqlite-store.ts";
import { createTestTasks } from "../support/tasks.ts";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const SERVER_INFO = { name: "mcp-callbacks", version: "1.2.3" };
const TASK_TYPES = [
  aTaskType({ name: "demo", expectedMs: 10_000 }),
  aTaskType({ name: "quick", expectedMs: 50 }),
  aTaskType({ name: "open-ended", expectedMs: null }),
  aTaskType({ name: "outside", executor: "worker" }),
];

export interface ServedMcp {
  /** With the slash, as in the contract. */
  readonly url: string;
  readonly port: number;
  readonly clock: FakeClock;
  readonly store: Store;
  /** Of the store; without a dispatcher nothing is ever sent. */
  readonly queues: WorkQueues;
  /** The circuit breaker whose state the tools show. */
  readonly breaker: CircuitBreaker;
  readonly emitted: readonly TelemetryEvent[];
  readonly toolNames: readonly string[];
  readonly endStreams: () => void;
  readonly close: () => Promise<void>;
  /** Plays the runner: the oldest pending task runs, and ends if `outcome` is given. */
  readonly runTask: (outcome?: TaskOutcome) => Promise<void>;
  /** Plays the runner: reports progress of the task that was run last. */
  readonly reportProgress: (progress: Progress) => Promise<void>;
}

export interface ServeOptions {
  readonly runTaskWaitMs?: number;
  /** The timeout of a challenge or a test event. Default: longer than any answered one takes. */
  readonly attemptTimeoutMs?: number;
  readonly tokens?: readonly AccessToken[];
  /** Instead of `tokens`. */
  readonly authenticate?: Authenticate;
  readonly allowedHosts?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  /** Settings of MCP Events. */
  readonly events?: Partial<EventsOptions>;
  readonly toolSet?: McpParts["toolSet"];
  readonly testFixtures?: boolean;
}

export interface EventsOptions extends Pick<McpParts, "errorCodes" | "unknownUnsubscribe"> {
  readonly lifetime: LifetimePolicy;
  readonly perPrincipalMax: number;
  readonly allow: PrivateTargets;
  readonly retryPolicy: RetryPolicy;
}

const EVENTS: EventsOptions = {
  errorCodes: "sketch",
  unknownUnsubscribe: "ok",
  lifetime: { defaultMs: 3_600_000, minMs: 60_000, maxMs: 86_400_000, allowsNone: false },
  perPrincipalMax: 1000,
  allow: "loopback",
  retryPolicy: { waitsMs: [5000, 60_000], jitter: 0 },
};

/** The MCP handler behind a plain HTTP server, with the real services and a store for the test. */
export async function serveMcp(options: ServeOptions = {}): Promise<ServedMcp> {
  const { tokens = [], allowedHosts = LOOPBACK, allowedOrigins = LOOPBACK, testFixtures = false } = options;
  const clock = createFakeClock();
  const emitted: TelemetryEvent[] = [];
  const emit = (event: TelemetryEvent): void => void emitted.push(event);
  const storage = await openTestStorage({ clock, emit });
  const { store, queues } = storage;
  onTestFinished(() => store.close());
  const chosen = { ...EVENTS, ...options.events };
  const breaker = new CircuitBreaker(() => queues.deliveries.wake());
  const { attemptTimeoutMs = 60_000 } = options;
  const services = createServices({ storage, breaker, clock, emit, attemptTimeoutMs }, chosen);
  const { authenticate = authenticateByToken(createPrincipalOf(tokens, "local")) } = options;
  const mcp = createMcp({
    ...services,
    ...chosen,
    clock,
    emit,
    completionUrlOf: (token) => `http://callbacks.example/complete/${token}`,
    runTaskWaitMs: options.runTaskWaitMs ?? 50_000,
    taskTtlMs: 86_400_000,
    authenticate,
    serverInfo: SERVER_INFO,
    allowedHosts,
    allowedOrigins,
    toolSet: options.toolSet ?? "all",
    testFixtures,
  });
  onTestFinished(() => mcp.close());
  const port = await listen(mcp.handle);
  let running: Task | undefined;
  return {
    url: `http://127.0.0.1:${port}/mcp/`,
    port,
    clock,
    store,
    queues,
    breaker,
    emitted,
    toolNames: mcp.toolNames,
    endStreams: () => mcp.endStreams(),
    close: () => mcp.close(),
    async runTask(outcome) {
      [running] = await store.claimRunnableTasks({ limit: 1, now: clock.now() });
      if (running === undefined) throw new Error("No task is pending");
      if (outcome !== undefined) await services.tasks.finish(running, outcome);
    },
    async reportProgress(progress) {
      if (running === undefined) throw new Error("No task was run");
      await services.progress.record(running, progress);
    },
  };
}

function createServices(
  parts: {
    storage: OpenedStore;
    breaker: CircuitBreaker;
    clock: FakeClock;
    emit: McpParts["emit"];
    attemptTimeoutMs: number;
  },
  { lifetime, perPrincipalMax, allow, retryPolicy }: EventsOptions,
) {
  const catalog = createTaskRegistry(TASK_TYPES);
  const targetPolicy = createAddressGuard({ allow, resolve: failingWith("ENOTFOUND") });
  const { attemptTimeoutMs, storage } = parts;
  const needs = { ...parts, ...storage };
  const receivers = { guard: targetPolicy, attemptTimeoutMs, userAgent: "mcp-callbacks/test" };
  const receiverTester = createReceiverTester(receivers);
  const endpointVerifier = createEndpointVerifier(receivers);
  onTestFinished(() => endpointVerifier.close());
  let nonces = 0;
  const newNonce = (): string => `nonce-${++nonces}`;
  onTestFinished(() => receiverTester.close());
  const callbacks = createCallbacks({ ...needs, targetPolicy });
  const { tasks, progress } = createTestTasks({ ...parts, catalog, targetPolicy });
  return {
    tasks,
    progress,
    completions: createCompletions({ ...needs, tasks, catalog, newNonce, ttlMs: 60_000 }),
    callbacks,
    deliveries: createDeliveries(needs),
    receiverTests: createReceiverTests({
      ...needs,
      callbacks,
      receiverTester,
      newId: createNewId(needs.clock.now),
      signingKeys: [],
    }),
    secrets: createSecrets(needs),
    events: createEvents(needs),
    subscriptions: createSubscriptions({
      ...needs,
      targetPolicy,
      verification: createVerification({ ...needs, endpointVerifier, newNonce }),
      settings: { lifetime, perPrincipalMax, allowsLoopbackHttp: allow !== "none", retryPolicy },
    }),
  };
}

async function listen(handle: ReturnType<typeof createMcp>["handle"]): Promise<number> {
  const server = createServer((req, res) => void handle(req, res));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  onTestFinished(() => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    return closed.promise;
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("It listens on no port");
  return address.port;
}
