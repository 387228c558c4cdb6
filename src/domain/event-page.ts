/** The rules of a page of the event log. A store reads what they ask for in one transaction. A place is the `seq` of the event before it. */

/**
 * The place that a page begins behind. A place that the log has not reached is of a log that was lost, for example when an older copy of
 * the file was put back: the page begins at the log's end. `leftOutSeq`: the newest event that is older than the wanted number; null: none.
 */
export function eventPageStart(afterSeq: number, lastSeq: number, leftOutSeq: number | null): number {
  return Math.max(Math.min(afterSeq, lastSeq), leftOutSeq ?? 0);
}

export interface EventPageFacts<Entry> {
  /** The place that was asked for. */
  readonly afterSeq: number;
  /** As `eventPageStart` gives it. */
  readonly startedAfter: number;
  readonly limit: number;
  /** The events behind `startedAfter`, the oldest first: one more than `limit` if there are so many. */
  readonly found: readonly Entry[];
  /** The last number that the log has given. */
  readonly lastSeq: number;
  /** The highest number that retention has removed; 0: none. */
  readonly lostSeq: number;
  /** Events behind `afterSeq` are older than was asked for. */
  readonly hasOlder: boolean;
}

export interface EventPage<Entry> {
  readonly events: readonly Entry[];
  /** The `seq` to go on after: of the last event of this page, or of the whole log when there are no more. */
  readonly position: number;
  readonly hasMore: boolean;
  /** The `seq` after which the page begins: `afterSeq`; higher when older events are left out, lower when this log has not reached it. */
  readonly startedAfter: number;
  /**
   * Events after `afterSeq` are left out: retention has removed them, or they are older or more than was asked for. Also true when this log
   * has not reached `afterSeq`, because it is unknown then what is missing.
   */
  readonly hasLost: boolean;
}

export function eventPage<Entry extends { readonly seq: number }>(facts: EventPageFacts<Entry>): EventPage<Entry> {
  const { afterSeq, startedAfter, limit, found, lastSeq, lostSeq, hasOlder } = facts;
  const hasMore = found.length > limit;
  const events = found.slice(0, limit);
  return {
    events,
    position: hasMore ? (events.at(-1)?.seq ?? startedAfter) : lastSeq,
    hasMore,
    startedAfter,
    hasLost: lostSeq > afterSeq || startedAfter !== afterSeq || hasOlder,
  };
}
