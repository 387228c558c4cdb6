import { failedWith } from "../domain/task.ts";
import type { Task } from "../domain/task.ts";
import { waitAfterFailedRun } from "../domain/task-run.ts";
import { digestOf } from "../domain/digest.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";
import type { TaskCatalog, TaskType } from "./ports/task-types.ts";
import type { Tasks } from "./tasks.ts";
import type { ExpiredLease, LeaseStore } from "./ports/lease-store.ts";
import type { WorkQueue } from "./ports/work-queue.ts";

/** Expired leases that are read at once. */
const EXPIRED_PER_STEP = 100;

export interface LeasePollsParts {
  readonly store: LeaseStore;
  readonly tasks: Tasks;
  readonly catalog: TaskCatalog;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Runs `pass`. */
  readonly queue: WorkQueue;
  readonly lease: LeaseTerms;
}

export interface LeaseTerms {
  /** Unguessable text. */
  readonly newToken: () => string;
  readonly durationMs: number;
}

export interface ClaimRequest {
  /** The name of the worker's token. Its leases are bound to it. */
  readonly worker: string;
  /** The name of one of several workers with the same token, for display; null: it has none. */
  readonly instance: string | null;
  readonly types: readonly string[];
}

export interface ClaimedTask {
  readonly task: Task;
  /** Only the worker gets it; the store has its digest. */
  readonly leaseToken: string;
  readonly leaseUntil: number;
}

/** The leases of workers: claims, long polls for them, and what follows when a lease expires. */
export interface LeasePolls {
  /** How long a new or renewed lease holds. */
  readonly leaseMs: number;
  /** Long polls that wait at the moment. */
  readonly waitingCount: number;
  /** The next task of these types, leased; null: none is due. */
  claim(request: ClaimRequest): Promise<ClaimedTask | null>;
  /** The next task of these types that is due within `waitMs`; null: none was, `signal` aborted, or `close` was called. */
  waitFor(request: ClaimRequest, waitMs: number, signal: AbortSignal): Promise<ClaimedTask | null>;
  /** For a claim whose answer could not be sent: the task is due for the next claim at once. */
  release(request: ClaimRequest, leased: ClaimedTask): Promise<void>;
  /** Ends expired leases, then answers the long polls. Returns when the next lease expires or the next task becomes due (epoch ms); null: none. */
  pass(): Promise<number | null>;
  /** Answers every long poll with null, from now on. */
  close(): void;
}

interface LongPoll {
  readonly request: ClaimRequest;
  /** False: the long poll is over. */
  readonly answer: (leased: ClaimedTask | null) => boolean;
}

export function createLeasePolls(parts: LeasePollsParts): LeasePolls {
  const { store, tasks, catalog, clock, emit, queue, lease } = parts;
  const waiting = new Set<LongPoll>();
  let isClosed = false;

  async function claim({ worker, instance, types }: ClaimRequest): Promise<ClaimedTask | null> {
    const leaseToken = lease.newToken();
    const now = clock.now();
    const leaseDigest = leaseDigestOf(worker, leaseToken);
    const name = instance === null ? worker : `${worker}/${instance}`;
    const leaseUntil = now + lease.durationMs;
    const task = await store.claimWorkerTask({ types, worker: name, leaseDigest, leaseUntil, now });
    if (task === null) return null;
    const { principal, taskId, taskType, runCount } = task;
    emit({ kind: "task.running", principal, taskId, taskType, runCount });
    return { task, leaseToken, leaseUntil };
  }

  async function release({ worker }: ClaimRequest, { task, leaseToken }: ClaimedTask): Promise<void> {
    const now = clock.now();
    const leaseDigest = leaseDigestOf(worker, leaseToken);
    await store.releaseLease({ id: task.id, leaseDigest, dueAt: now, now, hasFailed: false });
  }

  /** The oldest long poll first. After one that got nothing, those for the same types are left out. */
  async function answerWaiting(): Promise<void> {
    const emptyTypes = new Set<string>();
    for (const one of waiting) {
      const types = one.request.types.join("\n");
      if (emptyTypes.has(types)) continue;
      const leased = await claim(one.request);
      if (leased === null) emptyTypes.add(types);
      else if (!one.answer(leased)) await release(one.request, leased);
    }
  }

  async function endExpired(): Promise<void> {
    for (;;) {
      const expired = await store.expiredLeases({ now: clock.now(), limit: EXPIRED_PER_STEP });
      for (const one of expired) await endOne(one);
      if (expired.length < EXPIRED_PER_STEP) return;
    }
  }

  async function endOne({ task, worker, leaseUntil }: ExpiredLease): Promise<void> {
    const { id, principal, taskId, taskType, runCount, executor } = task;
    const grant = { kind: "expired_lease", leaseUntil } as const;
    if (executor === "completion_url") {
      await tasks.finish(task, failedWith("The task was not completed before its completion URL expired."), grant);
      return;
    }
    const identity = { principal, taskId, taskType };
    const type = await catalog.find(taskType);
    if (type === undefined || leaseUntil < endOfRun(task, type)) {
      const isExpired = await store.expireLease({ id, leaseUntil, dueAt: clock.now(), hasFailed: false });
      if (isExpired) emit({ kind: "task.lease_lost", ...identity, worker: worker ?? "" });
      return;
    }
    // The run took longer than its type allows. No built-in type for workers has a time limit or retries.
    const waitMs = waitAfterFailedRun(task.failures, type.retries);
    if (waitMs === null) {
      await tasks.finish(task, failedWith(`The task took longer than ${type.timeoutMs} ms.`), grant);
      return;
    }
    const isExpired = await store.expireLease({ id, leaseUntil, dueAt: clock.now() + waitMs, hasFailed: true });
    if (isExpired) emit({ kind: "task.released", ...identity, worker: worker ?? "", runCount, waitMs });
  }

  async function waitFor(request: ClaimRequest, waitMs: number, signal: AbortSignal): Promise<ClaimedTask | null> {
    if (isClosed) return null;
    const { promise, resolve } = Promise.withResolvers<ClaimedTask | null>();
    const over = new AbortController();
    const entry: LongPoll = {
      request,
      answer(leased) {
        resolve(leased);
        return waiting.delete(entry);
      },
    };
    waiting.add(entry);
    queue.wake();
    void clock.sleep(waitMs, AbortSignal.any([signal, over.signal])).then(() => entry.answer(null));
    const leased = await promise;
    over.abort("answered");
    return leased;
  }

  return {
    leaseMs: lease.durationMs,
    get waitingCount() {
      return waiting.size;
    },
    claim,
    waitFor,
    release,
    async pass() {
      await endExpired();
      await answerWaiting();
      return store.nextWorkerWorkAt(clock.now());
    },
    close() {
      isClosed = true;
      for (const { answer } of waiting) answer(null);
    },
  };
}

/** Bound to the worker's name, so that another worker cannot use a token that has leaked. */
export function leaseDigestOf(worker: string, leaseToken: string): string {
  return digestOf(`${worker} ${leaseToken}`);
}

/** When the time limit of the run is over (epoch ms). */
export function endOfRun({ startedAt }: Task, { timeoutMs }: Pick<TaskType, "timeoutMs">): number {
  return timeoutMs === null || startedAt === null ? Number.POSITIVE_INFINITY : startedAt + timeoutMs;
}
