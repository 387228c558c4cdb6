import type { EndedSubscription } from "./subscription-store.ts";

/**
 * Work that no client asks for: recovery after a kill, retention, re-encryption, totals. Each verb is one atomic unit of work: when its
 * promise resolves, its changes survive kill -9; when it rejects, nothing has changed. Times are epoch ms.
 */
export interface MaintenanceStore {
  /**
   * At start: what a process that died left running or sending is pending again, on its schedule, and a task has one crash more. Tasks that run
   * outside this server go on.
   */
  recoverInterrupted(now: number): Promise<RecoveredWork>;
  /**
   * One step of retention: looks at the next tasks that ended before `before`, the oldest first. Removes each one whole, with its events,
   * deliveries, attempts and callbacks, unless something of it is open or younger than `before` (a callback registered later, a delivery
   * settled later). The task_id may be used again. Totals (`counts`) stay.
   */
  pruneHistory(command: PruneHistory): Promise<PrunedStep>;
  /**
   * One step over all subscriptions, from the id `after` on. Ends those without an end that are suspended since before `before`, and removes
   * those that have ended and have no deliveries any more. The first step also removes verifications of URLs that have expired.
   */
  pruneSubscriptions(command: PruneSubscriptions): Promise<PrunedSubscriptions>;
  /** One step over all callbacks: encrypts secrets that are in clear or under an older key. Without a key it changes nothing. */
  reencryptSecrets(command: { readonly limit: number }): Promise<ReencryptedStep>;
  counts(): Promise<Counts>;
}

export interface RecoveredWork {
  readonly tasks: number;
  readonly deliveries: number;
}

export interface ReencryptedStep {
  /** Callbacks whose secrets were written anew. */
  readonly reencrypted: number;
  /** Callbacks whose secrets cannot be read, because the row was altered: they stay as they are. */
  readonly unreadable: number;
  readonly isDone: boolean;
}

export interface PruneSubscriptions {
  /** What has ended since is kept. */
  readonly before: number;
  readonly now: number;
  readonly limit: number;
  /** The `next` of the last step; null: from the start. */
  readonly after: string | null;
}
export interface PrunedSubscriptions {
  readonly callbacks: number;
  /** Subscriptions without an end that were ended because their receivers failed for so long. */
  readonly givenUp: readonly EndedSubscription[];
  /** Null: this was the last step. */
  readonly next: string | null;
}

export interface PruneHistory {
  readonly before: number;
  /** Tasks to look at, at most; the step ends sooner when it has removed very many rows. */
  readonly limit: number;
  /** The `next` of the last step; null: from the oldest on. */
  readonly after: PruneCursor | null;
}
/** The last task that was looked at. */
export interface PruneCursor {
  readonly finishedAt: number;
  readonly id: string;
}
export interface PrunedStep {
  readonly removed: RemovedRows;
  /** Null: this was the last step. */
  readonly next: PruneCursor | null;
}
/** The number of rows of each kind. */
export interface RemovedRows {
  readonly tasks: number;
  readonly callbacks: number;
  readonly events: number;
  readonly deliveries: number;
  readonly attempts: number;
}

export interface Counts {
  readonly completedTasks: number;
  /** Pending or running. */
  readonly activeTasks: number;
  /** Active callbacks that will get a POST: the task has not ended, or a delivery is open. */
  readonly pendingCallbacks: number;
  readonly disabledCallbacks: number;
}
