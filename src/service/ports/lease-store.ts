import type { LeaseStatus } from "../../domain/lease.ts";
import type { Task } from "../../domain/task.ts";

/**
 * Tasks that run outside this server: leases of workers, and the one-time secrets of completion URLs. Each verb is one atomic unit of
 * work: when its promise resolves, its changes survive kill -9; when it rejects, nothing has changed. Times are epoch ms.
 */
export interface LeaseStore {
  /** Claims the task of these types that is due for the longest time: it is running and leased, its `runCount` one higher. Null: none is due. */
  claimWorkerTask(command: ClaimWorkerTask): Promise<Task | null>;
  /** The task by its internal id, of any principal, and the state of this lease. Null: there is no such task. */
  findLease(lease: LeaseKey): Promise<LeaseState | null>;
  /** False: the lease does not hold any more, and nothing has changed. */
  renewLease(command: LeaseKey & { readonly leaseUntil: number; readonly now: number }): Promise<boolean>;
  /**
   * Ends the lease: the task is pending again, due at `dueAt`. False: it did not hold any more. Until the next claim `findLease`
   * answers `released`.
   */
  releaseLease(command: ReleaseLease): Promise<boolean>;
  /** Running tasks whose lease or completion URL has expired by `now`, at most `limit`. */
  expiredLeases(query: { readonly now: number; readonly limit: number }): Promise<readonly ExpiredLease[]>;
  /** Makes the task of an expired lease pending again, due at `dueAt`. False: the lease was renewed or is over. */
  expireLease(command: ExpireLease): Promise<boolean>;
  /** At start: every lease of a worker holds until `until` at least, because no worker could renew it while the server was down. */
  prolongLeases(until: number): Promise<void>;
  /** When the next lease expires or the next task for a worker becomes due, after `now`. Null: none. */
  nextWorkerWorkAt(now: number): Promise<number | null>;
  /** The task that this secret completes, and the state of the secret. Null: there is no such secret. */
  findCompletion(digest: string): Promise<Completion | null>;
}

export interface ClaimWorkerTask {
  readonly types: readonly string[];
  /** The name of the worker in telemetry. */
  readonly worker: string;
  readonly leaseDigest: string;
  readonly leaseUntil: number;
  readonly now: number;
}

export interface LeaseKey {
  /** The task's internal id. */
  readonly id: string;
  readonly leaseDigest: string;
}

export interface ReleaseLease extends LeaseKey {
  readonly dueAt: number;
  readonly now: number;
  /** The run has failed: the task has one failure more. */
  readonly hasFailed: boolean;
}

export interface ExpireLease {
  /** The task's internal id. */
  readonly id: string;
  /** When the lease expired. */
  readonly leaseUntil: number;
  readonly dueAt: number;
  /** The run has taken longer than its type allows: the task has one failure more. */
  readonly hasFailed: boolean;
}

export interface LeaseState {
  readonly task: Task;
  readonly lease: LeaseStatus;
  /** From when on a pending task may be claimed. */
  readonly dueAt: number;
}

export interface ExpiredLease {
  readonly task: Task;
  /** Null: the task is completed by its completion URL. */
  readonly worker: string | null;
  readonly leaseUntil: number;
}

/** The secret of a completion URL, added with the start of its task. */
export interface NewCompletion {
  readonly digest: string;
  readonly expiresAt: number;
}
export interface Completion extends NewCompletion {
  readonly task: Task;
  /** Null: not used. */
  readonly usedAt: number | null;
}
