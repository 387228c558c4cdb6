import type { EventPage } from "../../domain/event-page.ts";
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

/** As the rule `eventPage` makes it. */
export type EventsPage = EventPage<{ readonly seq: number; readonly event: EndEvent }>;
