/** What the store does to keep house, asked for by nobody outside: its old history goes, its secrets are kept well. */

/** The part of the Store port that keeps house; what `Store` says of its verbs holds for these too. */
export interface KeepingVerbs {
  /**
   * One small step of retention: looks at the next tasks that ended before `before`, the oldest first, and removes each one whole, with its
   * events, deliveries, attempts and callbacks. A task of which anything is open, or younger than `before` (a callback registered
   * later, a delivery settled later), is passed over whole. The task_id may be used again. Totals (`counts`) stay.
   */
  pruneHistory(command: PruneHistory): Promise<PrunedStep>;
}

export interface PruneHistory {
  /** Epoch milliseconds. */
  readonly before: number;
  /** Tasks to look at, at most; the step ends sooner when it has removed very many rows. */
  readonly limit: number;
  /** The `next` of the step before; null: from the oldest. */
  readonly after: PruneCursor | null;
}
/** The last task that was looked at. */
export interface PruneCursor {
  readonly finishedAt: number;
  readonly id: string;
}
export interface PrunedStep {
  readonly removed: RemovedRows;
  /** Where the next step goes on; null: there is no older task left to look at. */
  readonly next: PruneCursor | null;
}
/** How many rows of each kind. */
export interface RemovedRows {
  readonly tasks: number;
  readonly callbacks: number;
  readonly events: number;
  readonly deliveries: number;
  readonly attempts: number;
}

export type KeepingAnnouncement =
  /** Once for each pass that removed something. `before`: epoch ms. */
  { readonly kind: "history.pruned"; readonly before: number; readonly durationMs: number } & RemovedRows;
