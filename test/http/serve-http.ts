import { onTestFinished } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { listen } from "../../src/http/server.ts";
import { newNonce } from "../../src/domain/ids.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createCompletions } from "../../src/service/completions.ts";
import { createHealth } from "../../src/service/health.ts";
import { createInbox } from "../../src/service/inbox.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { createPrincipalOf } from "../../src/service/principals.ts";
import type { AccessToken } from "../../src/service/principals.ts";
import type { TaskType } from "../../src/service/ports/task-types.ts";
import type { TaskRequest, Tasks } from "../../src/service/tasks.ts";
import { createLeasePolls } from "../../src/service/lease-polls.ts";
import type { LeasePolls } from "../../src/service/lease-polls.ts";
import { createWorkers } from "../../src/service/workers.ts";
import type { Completions } from "../../src/service/completions.ts";
import { externalTask } from "../../src/tasks/builtin/external.ts";
import { parseSigningKey } from "../../src/domain/signing-keys.ts";
import { createTaskRegistry } from "../../src/tasks/runner/registry.ts";
import { T0, aTaskType } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import type { FakeClock } from "../support/clock.ts";
import { openTestStorage } from "../support/sqlite-store.ts";
import { createTestTasks } from "../support/tasks.ts";

export const LEASE_MS = 60_000;
export const COMPLETION_TTL_MS = 604_800_000;

export interface ServedHttp {
  readonly url: string;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly emitted: readonly TelemetryEvent[];
  readonly tasks: Tasks;
  readonly completions: Completions;
  readonly polls: LeasePolls;
  /** Starts a task; default type: external. */
  readonly start: (taskId: string, start?: Partial<TaskRequest>, principal?: string) => ReturnType<Tasks["start"]>;
}

export interface ServeHttpOptions {
  readonly tokens?: readonly AccessToken[];
  readonly workerTokens?: readonly AccessToken[];
  /** Beside external and demo. */
  readonly types?: readonly TaskType[];
  readonly allowedOrigins?: readonly string[];
}

/** Everything over HTTP except MCP, with the real services and a store for the test. */
export async function serveHttp({
  tokens = [],
  workerTokens = [],
  types = [],
  allowedOrigins = ["localhost"],
}: ServeHttpOptions = {}): Promise<ServedHttp> {
  const clock = createFakeClock(T0);
  const emitted: TelemetryEvent[] = [];
  const emit = (one: TelemetryEvent): void => void emitted.push(one);
  const storage = await openTestStorage({ clock, emit });
  const { store, queues } = storage;
  const catalog = createTaskRegistry([aTaskType(), externalTask, ...types]);
  const targetPolicy = createAddressGuard({ allow: "loopback" });
  const { tasks, progress } = createTestTasks({ storage, clock, catalog, targetPolicy, emit });
  const outside = { store, tasks, catalog, clock, emit };
  const lease = { newToken: newNonce, durationMs: LEASE_MS };
  const polls = createLeasePolls({ ...outside, queue: queues.leases, lease });
  const completions = createCompletions({ ...outside, newNonce, ttlMs: COMPLETION_TTL_MS });
  const health = createHealth({ store, openCircuitCount: () => 0 });
  const handle = createHttpApp({
    allowedOrigins,
    mcp: async (_, response) => void response.end("mcp was here"),
    inbox: createInbox({ store, clock, emit }),
    health,
    workers: createWorkers({ ...outside, progress, polls }),
    workerOf: workerTokens.length === 0 ? null : createPrincipalOf(workerTokens, "anonymous"),
    completions,
    openApi: () => ({ title: "Test", version: "1.2.3", url: "http://callbacks.example" }),
    principalOf: createPrincipalOf(tokens, "local"),
    allowedHosts: ["127.0.0.1", "[::1]"],
    clock,
    emit,
    serverName: "Test",
    needsToken: tokens.length > 0,
    publicKeys: [parseSigningKey(`whsk_${Buffer.alloc(32, 1).toString("base64")}`)!.publicKey],
  });
  queues.leases.start(() => polls.pass());
  const server = await listen(handle, "127.0.0.1", 0);
  onTestFinished(async () => {
    polls.close();
    await server.stop(0);
    await queues.leases.stop();
    await store.close().catch(() => {});
  });
  const start: ServedHttp["start"] = (taskId, more = {}, principal = "local") =>
    tasks.start(principal, { taskId, clientId: "starter", taskType: "external", ...more });
  const url = `http://127.0.0.1:${server.port}`;
  return { url, store, clock, emitted, tasks, completions, polls, start };
}
