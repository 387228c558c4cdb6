/** What the store does for tasks that are done outside: leases of workers, and the one-time secrets of completion URLs. */
import type { LeaseStanding } from "../../domain/lease.ts";
import type { Task } from "../../domain/task.ts";

/** The part of the Store port about work done outside; what `Store` says of its verbs holds for these too. */
export interface WorkerVerbs {
  /** The task of these types that is due for the longest time, now running and leased, its `runCount` one higher. Null: there is none. */
  claimWorkerTask(command: ClaimWorkerTask): Promise<Task | null>;
  /** The task by its internal id, whosever it is, and how this lease of it stands. Null: there is no such task. */
  findLease(lease: LeaseKey): Promise<LeaseState | null>;
  /** False: the lease does not hold any more, and nothing has changed. */
  renewLease(command: LeaseKey & { readonly leaseUntil: number; readonly now: number }): Promise<boolean>;
  /**
   * Ends the lease: the task is pending again, due at `dueAt`. False: it did not hold any more. Until the next claim `findLease` knows
   * the lease as released.
   */
  releaseLease(command: LeaseKey & { readonly dueAt: number; readonly now: number }): Promise<boolean>;
  /** The leases and completion URLs of running tasks that have expired by `now`, at most `limit`. */
  expiredLeases(query: { readonly now: number; readonly limit: number }): Promise<readonly ExpiredLease[]>;
  /** The task of a lease that has expired is pending again, due at `dueAt`; false: the lease was renewed, or is over. */
  expireLease(
    command: Pick<ExpiredLease, "leaseUntil"> & { readonly id: string; readonly dueAt: number },
  ): Promise<boolean>;
  /** At start: every lease of a worker holds until `until` at least, since nobody could renew it while we were down. */
  prolongLeases(until: number): Promise<void>;
  /** When the next lease runs out or the next task that waits for a worker becomes due, after `now` (epoch ms); null: never. */
  nextWorkerWorkAt(now: number): Promise<number | null>;
  /** The task that this secret ends, and whether it still can. Null: there is no such secret. */
  findCompletion(digest: string): Promise<Completion | null>;
}

export interface ClaimWorkerTask {
  readonly types: readonly string[];
  /** Who is told of in announcements. */
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

export interface LeaseState {
  readonly task: Task;
  readonly lease: LeaseStanding;
  /** Epoch ms from which a pending task may be claimed. */
  readonly dueAt: number;
}

export interface ExpiredLease {
  readonly task: Task;
  readonly worker: string | null;
  readonly leaseUntil: number;
}

/** One completion secret that a start asks for. */
export interface NewCompletion {
  readonly digest: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}
export interface Completion extends NewCompletion {
  readonly task: Task;
  readonly usedAt: number | null;
}

export type WorkerTelemetry =
  | { readonly kind: "task.progress"; readonly taskId: string; readonly done: number; readonly total: number | null }
  /** Its worker has neither renewed the lease nor ended the task: another gets it. */
  | { readonly kind: "task.lease_lost"; readonly taskId: string; readonly taskType: string; readonly worker: string }
  /** Its worker said that this run has failed; `waitMs` until another gets it. */
  | {
      readonly kind: "task.given_back";
      readonly taskId: string;
      readonly taskType: string;
      readonly worker: string;
      readonly runCount: number;
      readonly waitMs: number;
    };
