/** The load of most scenarios: callbacks on a few tasks, which then all end at once. rows.ts registers them. */
import { setTimeout as sleep } from "node:timers/promises";
import { createCaller, inLanes } from "./calls.ts";
import { CALLBACKS_PER_TASK } from "./limits.ts";
import type { Receiver } from "./receiver.ts";
import type { Scope } from "./scope.ts";
import type { BenchServer } from "./server.ts";
import { monotonicMs } from "./statistics.ts";

const LOOK_AGAIN_MS = 2;

export interface Batch {
  /** Its tasks are `<name>-0`, `<name>-1`, and so on. */
  readonly name: string;
  /** In turn. */
  readonly origins: readonly string[];
  readonly deliveries: number;
}

/** Monotonic milliseconds. */
export interface BatchTimes {
  /** The first task is asked to start, and ends at once. */
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
  const calls = inLanes(tasks, (index) =>
    call("start_task_with_callbacks", { task_id: `${name}-${index}`, client_id: "starter" }),
  );
  const [{ first, last }] = await Promise.all([receiver.reached(), calls]);
  return { started, firstPost: first, lastPost: last };
}

/** Resolves with the moment at which only `left` callbacks are pending any more. */
export async function allRecorded(server: BenchServer, left: number): Promise<number> {
  while ((await server.health()).pending_callbacks > left) await sleep(LOOK_AGAIN_MS);
  return monotonicMs();
}

export function perSecond(count: number, fromMs: number, toMs: number): number {
  return (count * 1000) / (toMs - fromMs);
}
