import type { EndEvent, EndType } from "../../domain/event.ts";

/**
 * The log of the ends of tasks. `seq` grows in the order of the commits: a reader that has read up to a `seq` misses nothing before it. A
 * reader before events that retention has removed gets `hasLost`.
 */
export interface EventStore {
  /** Events of a principal after a `seq`, the oldest first. */
  eventsAfter(query: EventsQuery): Promise<EventsPage>;
  /** The `seq` of the last event that is committed; 0: there is none. */
  lastEventSeq(): Promise<number>;
  /** The name of this log: letters and digits, unique to this database, the same as long as the database lives. */
  eventLog(): Promise<string>;
}

export interface EventsQuery {
  readonly principal: string;
  readonly afterSeq: number;
  readonly types: readonly EndType[];
  /** The client's task id; null: all tasks. */
  readonly taskId: string | null;
  /** Epoch ms: older events are left out. */
  readonly notBefore: number;
  readonly limit: number;
  /** Only the newest so many; null: all. */
  readonly newest: number | null;
}

export interface EventsPage {
  readonly events: readonly { readonly seq: number; readonly event: EndEvent }[];
  /** The `seq` to go on after: of the last event of this page, or of the whole log when there are no more. */
  readonly position: number;
  readonly hasMore: boolean;
  /** The `seq` after which the page begins: `afterSeq`; higher when older events are left out, lower when this log has not reached it. */
  readonly startedAfter: number;
  /**
   * Events after `afterSeq` are left out: retention has removed them, they are older than `notBefore`, or more than `newest`. Also true when
   * this log has not reached `afterSeq`, because it is unknown then what is missing.
   */
  readonly hasLost: boolean;
}
