import { failedWith } from "../domain/task.ts";
import type { Task } from "../domain/task.ts";
import { retryWaitMs } from "../domain/task-retry.ts";
import { digestOf } from "../domain/digest.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";
import type { TaskCatalog, TaskType } from "./ports/task-types.ts";
import type { Tasks } from "./tasks.ts";
import type { ExpiredLease, LeaseStore } from "./ports/lease-store.ts";
import type { WorkQueue } from "./ports/work-queue.ts";

/** Lapsed leases that are looked at at once. */
const EXPIRED_AT_ONCE = 100;

export interface WorkerQueueNeeds {
  readonly store: LeaseStore;
  readonly tasks: Pick<Tasks, "finish">;
  readonly catalog: Pick<TaskCatalog, "find">;
  readonly clock: Clock;
  readonly newNonce: () => string;
  readonly emit: Emit;
  readonly leaseMs: number;
  /** Runs `pass`. */
  readonly queue: Pick<WorkQueue, "wake">;
}

/** Who asks for work, and of which types. */
export interface ClaimRequest {
  /** The name of its token, to which its leases are bound. */
  readonly worker: string;
  /** Which of those with this token it is, for people; null: it does not say. */
  readonly instance: string | null;
  readonly types: readonly string[];
}

export interface LeasedTask {
  readonly task: Task;
  /** Shown to the worker alone; the store has its digest. */
  readonly leaseToken: string;
  readonly leaseUntil: number;
}

interface Waiting {
  readonly wish: ClaimRequest;
  /** False: the wait is over. */
  readonly answer: (leased: LeasedTask | null) => boolean;
}

export type WorkerQueue = ReturnType<typeof createWorkerQueue>;

/** The workers that wait for tasks and the tasks that wait for workers; and what becomes of tasks whose worker was not heard of again. */
export function createWorkerQueue(needs: WorkerQueueNeeds) {
  const { store, tasks, catalog, clock, newNonce, emit, leaseMs, queue } = needs;
  const waiting = new Set<Waiting>();
  let isDismissed = false;

  async function claim({ worker, instance, types }: ClaimRequest): Promise<LeasedTask | null> {
    const leaseToken = newNonce();
    const now = clock.now();
    const leaseDigest = leaseDigestOf(worker, leaseToken);
    const shown = instance === null ? worker : `${worker}/${instance}`;
    const leaseUntil = now + leaseMs;
    const task = await store.claimWorkerTask({ types, worker: shown, leaseDigest, leaseUntil, now });
    if (task === null) return null;
    const { taskId, taskType, runCount } = task;
    emit({ kind: "task.running", taskId, taskType, runCount });
    return { task, leaseToken, leaseUntil };
  }

  /** For a task that its worker could not be told of: it is there for the next, at once. */
  async function decline({ worker }: ClaimRequest, { task, leaseToken }: LeasedTask): Promise<void> {
    const now = clock.now();
    const leaseDigest = leaseDigestOf(worker, leaseToken);
    await store.releaseLease({ id: task.id, leaseDigest, dueAt: now, now });
  }

  /** In the order in which they came. Whoever asks for the same types as one who got nothing gets nothing either. */
  async function serveWaiting(): Promise<void> {
    const emptyTypes = new Set<string>();
    for (const one of waiting) {
      const line = one.wish.types.join("\n");
      if (emptyTypes.has(line)) continue;
      const leased = await claim(one.wish);
      if (leased === null) emptyTypes.add(line);
      else if (!one.answer(leased)) await decline(one.wish, leased);
    }
  }

  async function endExpired(): Promise<void> {
    for (;;) {
      const expired = await store.expiredLeases({ now: clock.now(), limit: EXPIRED_AT_ONCE });
      for (const lease of expired) await endExpiredLease(lease);
      if (expired.length < EXPIRED_AT_ONCE) return;
    }
  }

  async function endExpiredLease({ task, worker, leaseUntil }: ExpiredLease): Promise<void> {
    const { id, taskId, taskType, runCount, executor } = task;
    const grant = { kind: "expired_lease", leaseUntil } as const;
    if (executor === "completion_url") {
      await tasks.finish(task, failedWith("Nobody completed the task before its completion URL expired."), grant);
      return;
    }
    const type = await catalog.find(taskType);
    if (type === undefined || leaseUntil < endOfRun(task, type)) {
      const isTakenBack = await store.expireLease({ id, leaseUntil, dueAt: clock.now() });
      if (isTakenBack) emit({ kind: "task.lease_lost", taskId, taskType, worker: worker ?? "" });
      return;
    }
    if (runCount > type.retries) {
      await tasks.finish(task, failedWith(`The task took longer than ${type.timeoutMs} ms.`), grant);
      return;
    }
    const waitMs = retryWaitMs(runCount);
    const isTakenBack = await store.expireLease({ id, leaseUntil, dueAt: clock.now() + waitMs });
    if (isTakenBack) emit({ kind: "task.released", taskId, taskType, worker: worker ?? "", runCount, waitMs });
  }

  return {
    claim,
    decline,

    /** What is there for the wish now or comes within `waitMs`; null: nothing did, or `signal` aborted. */
    async waitFor(wish: ClaimRequest, waitMs: number, signal: AbortSignal): Promise<LeasedTask | null> {
      const { promise, resolve } = Promise.withResolvers<LeasedTask | null>();
      const over = new AbortController();
      const entry: Waiting = {
        wish,
        answer(leased) {
          resolve(leased);
          return waiting.delete(entry);
        },
      };
      if (isDismissed) return null;
      waiting.add(entry);
      queue.wake();
      const until = AbortSignal.any([signal, over.signal]);
      void clock.sleep(waitMs, until).then(() => entry.answer(null));
      const leased = await promise;
      over.abort("answered");
      return leased;
    },

    get waitingCount(): number {
      return waiting.size;
    },

    /** Returns when the next lease runs out or the next task becomes due (epoch ms); null: none is to be waited for. */
    async pass(): Promise<number | null> {
      await endExpired();
      await serveWaiting();
      return store.nextWorkerWorkAt(clock.now());
    },

    /** Nobody waits any longer, from now on. */
    dismiss(): void {
      isDismissed = true;
      for (const { answer } of waiting) answer(null);
    },
  };
}

/** Bound to whom it was given to, so that nobody ends the task of another with a lease that has leaked. */
export function leaseDigestOf(worker: string, leaseToken: string): string {
  return digestOf(`${worker} ${leaseToken}`);
}

/** Epoch ms from which the run has taken too long. */
export function endOfRun({ startedAt }: Task, { timeoutMs }: Pick<TaskType, "timeoutMs">): number {
  return timeoutMs === null || startedAt === null ? Number.POSITIVE_INFINITY : startedAt + timeoutMs;
}
