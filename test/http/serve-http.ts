import { onTestFinished } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { listen } from "../../src/http/server.ts";
import { newNonce } from "../../src/domain/ids.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createCompletions } from "../../src/service/completions.ts";
import { createEventFeed } from "../../src/service/event-feed.ts";
import { createHealth } from "../../src/service/health.ts";
import { createInbox } from "../../src/service/inbox.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { createPrincipalOf } from "../../src/service/principals.ts";
import type { AccessToken } from "../../src/service/principals.ts";
import type { TaskType } from "../../src/service/ports/task-types.ts";
import { createTasks } from "../../src/service/tasks.ts";
import type { TaskStart, Tasks } from "../../src/service/tasks.ts";
import { createWorkerQueue } from "../../src/service/worker-queue.ts";
import type { WorkerQueue } from "../../src/service/worker-queue.ts";
import type { Progress } from "../../src/service/ports/lease-store.ts";
import { createWorkers } from "../../src/service/workers.ts";
import type { Completions } from "../../src/service/completions.ts";
import { createWorkSource } from "../../src/store/sqlite/queue.ts";
import { externalTask } from "../../src/tasks/builtin/external.ts";
import { parseSigningKey } from "../../src/domain/signing-keys.ts";
import { createTaskRegistry } from "../../src/tasks/runner/registry.ts";
import { T0, aHandover, aTaskProgress, aTaskType } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import type { FakeClock } from "../support/clock.ts";
import { openTestStore } from "../support/sqlite-store.ts";

export const LEASE_MS = 60_000;
export const COMPLETION_TTL_MS = 604_800_000;

export interface ServedHttp {
  readonly url: string;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly emitted: readonly TelemetryEvent[];
  /** The progress that workers reported. */
  readonly reported: readonly (Progress & { readonly taskId: string })[];
  readonly tasks: Tasks;
  readonly completions: Completions;
  readonly queue: WorkerQueue;
  /** Starts a task; default type: external. */
  readonly start: (taskId: string, start?: Partial<TaskStart>, principal?: string) => ReturnType<Tasks["start"]>;
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
  const store = await openTestStore();
  const reported: (Progress & { readonly taskId: string })[] = [];
  const clock = createFakeClock(T0);
  const emitted: TelemetryEvent[] = [];
  const emit = (one: TelemetryEvent): void => void emitted.push(one);
  const work = createWorkSource({ clock, emit, name: "workers" });
  const wake = (): void => work.wake();
  const catalog = createTaskRegistry([aTaskType(), externalTask, ...types]);
  const wakes = {
    wakeRunner: () => {},
    wakeWorkers: wake,
    wakeDispatcher: () => {},
    openReservation: () => aHandover(0),
  };
  const targetPolicy = createAddressGuard({ allow: "loopback" });
  const feed = createEventFeed();
  const taskProgress = aTaskProgress({ store, clock, feed });
  const tasks = createTasks({ store, clock, catalog, targetPolicy, emit, feed, progress: taskProgress, ...wakes });
  const outside = { store, tasks, catalog, clock, emit, newNonce, wake, leaseMs: LEASE_MS };
  const queue = createWorkerQueue(outside);
  const completions = createCompletions({ ...outside, ttlMs: COMPLETION_TTL_MS });
  const health = createHealth({ store, slowOrigins: () => 0 });
  const handle = createHttpApp({
    allowedOrigins,
    mcp: async (_, response) => void response.end("mcp was here"),
    inbox: createInbox({ store, clock, emit }),
    health,
    workers: createWorkers({
      ...outside,
      queue,
      report: (task, progress) => reported.push({ taskId: task.taskId, ...progress }),
    }),
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
  work.start(() => queue.pass());
  const server = await listen(handle, "127.0.0.1", 0);
  onTestFinished(async () => {
    queue.dismiss();
    await server.stop(0);
    await work.stop();
    await store.close().catch(() => {});
  });
  const start: ServedHttp["start"] = (taskId, more = {}, principal = "local") =>
    tasks.start(principal, { taskId, clientId: "starter", taskType: "external", ...more });
  const url = `http://127.0.0.1:${server.port}`;
  return { url, store, clock, reported, emitted, tasks, completions, queue, start };
}
