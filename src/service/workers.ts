import { DomainError } from "../domain/errors.ts";
import { failedWith, hasEnded } from "../domain/task.ts";
import type { Progress, Task, TaskOutcome, TaskStatus } from "../domain/task.ts";
import { retryWaitMs } from "../domain/task-retry.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";
import type { TaskCatalog } from "./ports/task-types.ts";
import type { Tasks } from "./tasks.ts";
import { endOfRun, leaseDigestOf } from "./worker-queue.ts";
import type { LeasedTask, WorkerQueue, ClaimRequest } from "./worker-queue.ts";
import type { LeaseState, LeaseStore } from "./ports/lease-store.ts";
import { endWith } from "./worker-result.ts";
import type { RefusedResult } from "./worker-result.ts";

/** Workers that wait at once for tasks: each holds a connection. */
const WAITING_MAX = 1000;

export interface WorkersNeeds {
  readonly queue: WorkerQueue;
  readonly store: LeaseStore;
  readonly tasks: Pick<Tasks, "finish">;
  readonly catalog: Pick<TaskCatalog, "find">;
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit;
  /** Takes in how far a task is that runs outside. */
  readonly report: (task: Task, progress: Progress) => void;
  readonly leaseMs: number;
}

/** What a worker says of a task that it has. */
export interface Lease {
  /** The task's internal id. */
  readonly id: string;
  /** The name of its token. */
  readonly worker: string;
  readonly leaseToken: string;
}

export type LeaseRefusal =
  | { readonly kind: "not_found" }
  /** It ran out and the task is somebody else's, or it never was the sender's. */
  | { readonly kind: "lease_lost" }
  /** The task is over, and not by this report. */
  | { readonly kind: "ended"; readonly status: TaskStatus };
export type Renewed = LeaseRefusal | { readonly kind: "renewed"; readonly task: Task; readonly leaseUntil: number };
export type Completed = LeaseRefusal | RefusedResult | { readonly kind: "taken"; readonly task: TaskState };
/** `dueAt`: when the task is there for the next run (epoch ms); null: it has ended. */
export type Failed = LeaseRefusal | { readonly kind: "taken"; readonly task: TaskState; readonly dueAt: number | null };

export interface TaskState extends Pick<Task, "id" | "taskId"> {
  readonly status: TaskStatus;
}

export interface Failure {
  readonly error: string;
  /** Trying again would not help. */
  readonly permanent: boolean;
}

export type Workers = ReturnType<typeof createWorkers>;

/** What those who work outside ask for. Each report may be repeated after a lost answer, and is answered the same. */
export function createWorkers(needs: WorkersNeeds) {
  const { queue, store, tasks, catalog, clock, emit, report, leaseMs } = needs;
  const find = async (lease: Lease): Promise<Standing> => standingOf(await store.findLease(keyOf(lease)));

  /** Ends the task by the lease; what stands when that is over by now. */
  async function end(lease: Lease, task: Task, outcome: TaskOutcome): Promise<Standing> {
    const { leaseDigest } = keyOf(lease);
    const isEnded = await tasks.finish(task, outcome, { kind: "lease", leaseDigest });
    return isEnded ? { kind: "ended", task: { ...task, status: outcome.status } } : notRunning(await find(lease));
  }

  async function giveBack(lease: Lease, { taskId, taskType, runCount }: Task): Promise<Standing> {
    const waitMs = retryWaitMs(runCount);
    const now = clock.now();
    const isGivenBack = await store.releaseLease({ ...keyOf(lease), dueAt: now + waitMs, now });
    if (!isGivenBack) return notRunning(await find(lease));
    emit({ kind: "task.released", taskId, taskType, worker: lease.worker, runCount, waitMs });
    return find(lease);
  }

  /** The lease holds for its whole time again, but not beyond the time that a run of this type may take. */
  async function renew(lease: Lease): Promise<Renewed> {
    const standing = await find(lease);
    if (standing.kind !== "running") return refusalOf(standing);
    const { task } = standing;
    const type = await catalog.find(task.taskType);
    const now = clock.now();
    const leaseUntil = Math.min(now + leaseMs, type === undefined ? Infinity : endOfRun(task, type));
    const isRenewed = await store.renewLease({ ...keyOf(lease), leaseUntil, now });
    return isRenewed ? { kind: "renewed", task, leaseUntil } : refusalOf(notRunning(await find(lease)));
  }

  return {
    /** The next task of these types, leased; waits for one up to `waitMs`. Null: there was none. `limit`: too many wait already. */
    async claim(wish: ClaimRequest, waitMs: number, signal: AbortSignal): Promise<LeasedTask | null> {
      const leased = await queue.claim(wish);
      if (leased !== null || waitMs === 0) return leased;
      if (queue.waitingCount >= WAITING_MAX)
        throw new DomainError("limit", `${WAITING_MAX} workers wait already; ask again later, or with wait_ms 0.`);
      return queue.waitFor(wish, waitMs, signal);
    },

    decline: queue.decline,

    heartbeat: renew,

    /** How far the task is; renews the lease as a heartbeat does. */
    async progress(lease: Lease, progress: Progress): Promise<Renewed> {
      const renewed = await renew(lease);
      if (renewed.kind === "renewed") report(renewed.task, progress);
      return renewed;
    },

    /** Ends the task with a result that its type takes; one that it does not take changes nothing. */
    async complete(lease: Lease, result: unknown): Promise<Completed> {
      let standing = await find(lease);
      if (standing.kind === "running") {
        const ending = endWith(await catalog.find(standing.task.taskType), result);
        if (ending.kind === "refused") return ending;
        standing = await end(lease, standing.task, ending.outcome);
      }
      return isEnd(standing, "completed") ? { kind: "taken", task: standing.task } : refusalOf(standing);
    },

    /** This run has failed: the task is there again after a wait, or ends when its type allows no further run or none would help. */
    async fail(lease: Lease, { error, permanent }: Failure): Promise<Failed> {
      let standing = await find(lease);
      if (standing.kind === "running") {
        const { task } = standing;
        const retries = (await catalog.find(task.taskType))?.retries ?? 0;
        const isLast = permanent || task.runCount > retries;
        standing = isLast ? await end(lease, task, failedWith(error)) : await giveBack(lease, task);
      }
      if (standing.kind === "released") return { kind: "taken", task: standing.task, dueAt: standing.dueAt };
      if (isEnd(standing, "failed")) return { kind: "taken", task: standing.task, dueAt: null };
      return refusalOf(standing);
    },
  };
}

/** How a lease stands. */
type Standing =
  | { readonly kind: "running"; readonly task: Task }
  | { readonly kind: "released"; readonly task: Task; readonly dueAt: number }
  | { readonly kind: "ended"; readonly task: Task }
  | { readonly kind: "lost" | "not_found" };

function keyOf({ id, worker, leaseToken }: Lease) {
  return { id, leaseDigest: leaseDigestOf(worker, leaseToken) };
}

function standingOf(state: LeaseState | null): Standing {
  if (state === null) return { kind: "not_found" };
  const { task, lease, dueAt } = state;
  if (lease === "lost") return { kind: "lost" };
  if (lease === "released") return { kind: "released", task, dueAt };
  return { kind: hasEnded(task) ? "ended" : "running", task };
}

/** After a write that found the lease over: one that still looks as if it held has run out this moment. */
function notRunning(standing: Standing): Standing {
  return standing.kind === "running" ? { kind: "lost" } : standing;
}

function isEnd(standing: Standing, status: TaskStatus): standing is Extract<Standing, { kind: "ended" }> {
  return standing.kind === "ended" && standing.task.status === status;
}

function refusalOf(standing: Standing): LeaseRefusal {
  if (standing.kind === "not_found") return { kind: "not_found" };
  return standing.kind === "ended" ? { kind: "ended", status: standing.task.status } : { kind: "lease_lost" };
}
