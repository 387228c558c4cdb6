/** The youngest of what belongs to an ended task. Times are epoch ms; null: there is none. */
export interface TaskRetentionFacts {
  readonly newestRegistration: number | null;
  readonly newestSettlement: number | null;
  /** A delivery of its events, or to its callbacks, is pending or sending. */
  readonly hasOpenDelivery: boolean;
}

/** Whether retention removes a task that ended before `before`, with all that belongs to it: only if nothing of it is open or younger. */
export function isOutdated(
  { newestRegistration, newestSettlement, hasOpenDelivery }: TaskRetentionFacts,
  before: number,
): boolean {
  return !hasOpenDelivery && (newestRegistration ?? -1) < before && (newestSettlement ?? -1) < before;
}
