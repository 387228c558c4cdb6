/** The load of most scenarios: callbacks of a few tasks that all end at once. rows.ts registers the callbacks. */
import { setTimeout as sleep } from "node:timers/promises";
import { createCaller, runConcurrently } from "./calls.ts";
import { CALLBACKS_PER_TASK } from "./limits.ts";
import type { Receiver } from "./receiver.ts";
import type { Scope } from "./scope.ts";
import type { BenchServer } from "./server.ts";
import { monotonicMs } from "./statistics.ts";

const POLL_MS = 2;

export interface Batch {
  /** Its tasks are `<name>-0`, `<name>-1`, and so on. */
  readonly name: string;
  /** The callbacks use them in turn. */
  readonly origins: readonly string[];
  readonly deliveries: number;
}

/** Monotonic milliseconds. */
export interface BatchTimes {
  /** The call that starts the first task, which ends at once. */
  readonly started: number;
  readonly firstPost: number;
  readonly lastPost: number;
}

/** Ends the batch's tasks and waits for the POSTs at `awaited` (default: all of them). */
export async function runBatch(
  scope: Scope,
  server: BenchServer,
  receiver: Receiver,
  batch: Batch,
  awaited: readonly string[] = batch.origins,
): Promise<BatchTimes> {
  const { name, origins, deliveries } = batch;
  const { call } = createCaller(scope, server.url);
  await receiver.expect(awaited, (deliveries * awaited.length) / origins.length);
  const started = monotonicMs();
  const tasks = Math.ceil(deliveries / CALLBACKS_PER_TASK);
  const calls = runConcurrently(tasks, (index) =>
    call("start_task_with_callbacks", { task_id: `${name}-${index}`, client_id: "starter" }),
  );
  const [{ first, last }] = await Promise.all([receiver.reached(), calls]);
  return { started, firstPost: first, lastPost: last };
}

/** Resolves with the moment at which no more than `pendingMax` callbacks are pending. */
export async function allRecorded(server: BenchServer, pendingMax: number): Promise<number> {
  while ((await server.health()).pending_callbacks > pendingMax) await sleep(POLL_MS);
  return monotonicMs();
}

export function perSecond(count: number, fromMs: number, toMs: number): number {
  return (count * 1000) / (toMs - fromMs);
}
