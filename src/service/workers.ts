import { DomainError } from "../domain/errors.ts";
import { failedWith, hasEnded } from "../domain/task.ts";
import type { Progress, Task, TaskOutcome, TaskStatus } from "../domain/task.ts";
import { waitAfterFailedRun } from "../domain/task-run.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";
import type { TaskCatalog } from "./ports/task-types.ts";
import type { TaskProgress } from "./task-progress.ts";
import type { Tasks } from "./tasks.ts";
import { endOfRun, leaseDigestOf } from "./lease-polls.ts";
import type { ClaimedTask, LeasePolls, ClaimRequest } from "./lease-polls.ts";
import type { LeaseState, LeaseStore } from "./ports/lease-store.ts";
import { endWith } from "./worker-result.ts";
import type { RefusedResult } from "./worker-result.ts";

/** Long polls at once: each holds a connection. */
const WAITING_MAX = 1000;

export interface WorkersParts {
  readonly polls: LeasePolls;
  readonly store: LeaseStore;
  readonly tasks: Tasks;
  readonly progress: TaskProgress;
  readonly catalog: TaskCatalog;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** The calls of workers over HTTP. A worker may repeat each report after a lost answer, and gets the same answer. */
export interface Workers {
  /** The next task of these types, leased; waits for one up to `waitMs`. Null: none was due. Throws `limit` when too many calls wait. */
  claim(request: ClaimRequest, waitMs: number, signal: AbortSignal): Promise<ClaimedTask | null>;
  /** For a claim whose answer could not be sent: the task is due for the next claim at once. */
  release(request: ClaimRequest, leased: ClaimedTask): Promise<void>;
  /** Renews the lease for its whole duration, but not beyond the time limit of the task's type. */
  heartbeat(lease: Lease): Promise<Renewed>;
  /** Records the progress of the task; renews the lease as a heartbeat does. */
  progress(lease: Lease, progress: Progress): Promise<Renewed>;
  /** Ends the task with a result that its type accepts; any other result changes nothing. */
  complete(lease: Lease, result: unknown): Promise<Completed>;
  /** The run has failed: the task is due again after a wait, or ends when its type allows no further run or a retry would not help. */
  fail(lease: Lease, failure: Failure): Promise<Failed>;
}

/** Identifies a worker's lease of a task. */
export interface Lease {
  /** The task's internal id. */
  readonly id: string;
  /** The name of its token. */
  readonly worker: string;
  readonly leaseToken: string;
}

export type LeaseRefusal =
  | { readonly kind: "not_found" }
  /** It has expired and the task has another lease, or it is not a lease of this worker. */
  | { readonly kind: "lease_lost" }
  /** The task has ended, and not by this report. */
  | { readonly kind: "ended"; readonly status: TaskStatus };
export type Renewed = LeaseRefusal | { readonly kind: "renewed"; readonly task: Task; readonly leaseUntil: number };
export type Completed = LeaseRefusal | RefusedResult | { readonly kind: "taken"; readonly task: TaskState };
/** `dueAt`: when the next run may be claimed (epoch ms); null: the task has ended. */
export type Failed = LeaseRefusal | { readonly kind: "taken"; readonly task: TaskState; readonly dueAt: number | null };

export interface TaskState extends Pick<Task, "id" | "taskId"> {
  readonly status: TaskStatus;
}

export interface Failure {
  readonly error: string;
  /** True: a retry would not help. */
  readonly permanent: boolean;
}

export function createWorkers({ polls, store, tasks, catalog, clock, emit, ...parts }: WorkersParts): Workers {
  const find = async (lease: Lease): Promise<FoundLease> => foundLeaseOf(await store.findLease(keyOf(lease)));

  /** Ends the task by the lease. Returns the state afterwards. */
  async function end(lease: Lease, task: Task, outcome: TaskOutcome): Promise<FoundLease> {
    const { leaseDigest } = keyOf(lease);
    const isEnded = await tasks.finish(task, outcome, { kind: "lease", leaseDigest });
    return isEnded ? { kind: "ended", task: { ...task, status: outcome.status } } : notRunning(await find(lease));
  }

  /** After a failed run: the task is due again after `waitMs`. Returns the state afterwards. */
  async function retry(lease: Lease, task: Task, waitMs: number): Promise<FoundLease> {
    const { principal, taskId, taskType, runCount } = task;
    const now = clock.now();
    const isReleased = await store.releaseLease({ ...keyOf(lease), dueAt: now + waitMs, now, hasFailed: true });
    if (!isReleased) return notRunning(await find(lease));
    emit({ kind: "task.released", principal, taskId, taskType, worker: lease.worker, runCount, waitMs });
    return find(lease);
  }

  async function renew(lease: Lease): Promise<Renewed> {
    const found = await find(lease);
    if (found.kind !== "running") return refusalOf(found);
    const { task } = found;
    const type = await catalog.find(task.taskType);
    const now = clock.now();
    const leaseUntil = Math.min(now + polls.leaseMs, type === undefined ? Infinity : endOfRun(task, type));
    const isRenewed = await store.renewLease({ ...keyOf(lease), leaseUntil, now });
    return isRenewed ? { kind: "renewed", task, leaseUntil } : refusalOf(notRunning(await find(lease)));
  }

  /** Stored beside the answer: a failure to store it does not refuse the report. */
  function recordProgress(task: Task, progress: Progress): void {
    const { principal, taskId } = task;
    emit({ kind: "task.progress", principal, taskId, done: progress.done, total: progress.total });
    parts.progress.record(task, progress).catch((error: unknown) => {
      emit({ kind: "internal.failed", where: `progress of task ${taskId}`, error });
    });
  }

  return {
    async claim(request, waitMs, signal) {
      const leased = await polls.claim(request);
      if (leased !== null || waitMs === 0) return leased;
      if (polls.waitingCount >= WAITING_MAX)
        throw new DomainError("limit", `${WAITING_MAX} workers wait already; ask again later, or with wait_ms 0.`);
      return polls.waitFor(request, waitMs, signal);
    },

    release: polls.release,

    heartbeat: renew,

    async progress(lease, progress) {
      const renewed = await renew(lease);
      if (renewed.kind === "renewed") recordProgress(renewed.task, progress);
      return renewed;
    },

    async complete(lease, result) {
      let found = await find(lease);
      if (found.kind === "running") {
        const ending = endWith(await catalog.find(found.task.taskType), result);
        if (ending.kind === "refused") return ending;
        found = await end(lease, found.task, ending.outcome);
      }
      return isEnd(found, "completed") ? { kind: "taken", task: found.task } : refusalOf(found);
    },

    async fail(lease, { error, permanent }) {
      let found = await find(lease);
      if (found.kind === "running") {
        const { task } = found;
        const retries = (await catalog.find(task.taskType))?.retries ?? 0;
        const waitMs = permanent ? null : waitAfterFailedRun(task.failures, retries);
        found = waitMs === null ? await end(lease, task, failedWith(error)) : await retry(lease, task, waitMs);
      }
      if (found.kind === "released") return { kind: "taken", task: found.task, dueAt: found.dueAt };
      if (isEnd(found, "failed")) return { kind: "taken", task: found.task, dueAt: null };
      return refusalOf(found);
    },
  };
}

/** The state of a lease. */
type FoundLease =
  | { readonly kind: "running"; readonly task: Task }
  | { readonly kind: "released"; readonly task: Task; readonly dueAt: number }
  | { readonly kind: "ended"; readonly task: Task }
  | { readonly kind: "lost" | "not_found" };

function keyOf({ id, worker, leaseToken }: Lease) {
  return { id, leaseDigest: leaseDigestOf(worker, leaseToken) };
}

function foundLeaseOf(state: LeaseState | null): FoundLease {
  if (state === null) return { kind: "not_found" };
  const { task, lease, dueAt } = state;
  if (lease === "lost") return { kind: "lost" };
  if (lease === "released") return { kind: "released", task, dueAt };
  return { kind: hasEnded(task) ? "ended" : "running", task };
}

/** After a write for which the lease did not hold: a lease that is found as running has just expired. */
function notRunning(found: FoundLease): FoundLease {
  return found.kind === "running" ? { kind: "lost" } : found;
}

function isEnd(found: FoundLease, status: TaskStatus): found is Extract<FoundLease, { kind: "ended" }> {
  return found.kind === "ended" && found.task.status === status;
}

function refusalOf(found: FoundLease): LeaseRefusal {
  if (found.kind === "not_found") return { kind: "not_found" };
  return found.kind === "ended" ? { kind: "ended", status: found.task.status } : { kind: "lease_lost" };
}
