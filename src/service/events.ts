import { typesOf } from "../domain/event.ts";
import type { EventName } from "../domain/event.ts";
import { createEventCursors } from "../domain/event-cursor.ts";
import type { EventCursors } from "../domain/event-cursor.ts";
import { EventsError } from "../domain/events-error.ts";
import { occurrenceOf } from "../domain/occurrence.ts";
import type { Occurrence } from "../domain/occurrence.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Clock } from "./ports/clock.ts";
import type { EventsQuery, EventStore } from "./ports/event-store.ts";

/** SEP-3415 wants a sign of life every 30 seconds at the latest. */
const HEARTBEAT_MS = 20_000;
const STREAM_PAGE = 100;
/** Events of the past that one stream begins with: the newest. */
const STREAM_REPLAY_MAX = 10_000;
/** Streams open at once, of all principals: each holds a connection. */
const STREAMS_MAX = 512;

export interface EventsNeeds {
  readonly store: EventStore;
  readonly feed: Pick<EventFeed, "listen">;
  readonly clock: Clock;
}

export interface EventsRequest {
  readonly name: EventName;
  /** Null: any task of the principal. */
  readonly taskId: string | null;
  /** Null: from now on. */
  readonly cursor: string | null;
  readonly maxAgeMs: number | null;
}

export interface Polled {
  readonly occurrences: readonly Occurrence[];
  readonly cursor: string;
  readonly truncated: boolean;
  readonly hasMore: boolean;
}

/** What a stream tells; a promise that is returned is awaited before more is told. */
export interface EventsSink {
  /** First, and again when events were lost on the way. */
  active(cursor: string, truncated: boolean): Promise<void>;
  event(occurrence: Occurrence): Promise<void>;
  heartbeat(cursor: string): Promise<void>;
}

type Reading = Pick<EventsQuery, "afterSeq" | "notBefore" | "limit" | "newest">;

export type Events = ReturnType<typeof createEvents>;

/** Reads the log of events, which is what happened: nothing here depends on who else was told. */
export function createEvents({ store, feed, clock }: EventsNeeds) {
  let streams = 0;
  const cursorsOf = cursorsOfStore(store);

  /** Where to begin. `isLost`: the cursor is not of this log, so what came between it and now is unknown. */
  async function begin(cursor: string | null, cursors: EventCursors): Promise<{ afterSeq: number; isLost: boolean }> {
    const asked = cursor === null ? null : cursors.seqOf(cursor);
    if (asked !== null) return { afterSeq: asked, isLost: false };
    return { afterSeq: await store.lastEventSeq(), isLost: cursor !== null };
  }

  async function read(principal: string, { name, taskId }: EventsRequest, from: Reading) {
    return store.eventsAfter({ principal, types: typesOf(name), taskId, ...from });
  }

  /** Only what is read of the past may be too old. */
  function floorOf({ cursor, maxAgeMs }: EventsRequest): number {
    return cursor === null || maxAgeMs === null ? 0 : clock.now() - maxAgeMs;
  }

  /** Tells what is there and what comes, until `signal` aborts. */
  async function tell(principal: string, request: EventsRequest, sink: EventsSink, signal: AbortSignal): Promise<void> {
    const bell = createBell(principal, feed, clock);
    try {
      const cursors = await cursorsOf();
      let { afterSeq, isLost } = await begin(request.cursor, cursors);
      let notBefore = floorOf(request);
      for (let isFirst = true; !signal.aborted; isFirst = false) {
        const newest = isFirst ? STREAM_REPLAY_MAX : null;
        const page = await read(principal, request, { afterSeq, notBefore, limit: STREAM_PAGE, newest });
        isLost ||= page.hasLost;
        if (isFirst || isLost) await sink.active(cursors.of(page.startedAfter), isLost);
        isLost = false;
        for (const { seq, event } of page.events) {
          if (signal.aborted) return;
          await sink.event({ ...occurrenceOf(event, request.name), cursor: cursors.of(seq) });
        }
        if (isFirst || page.events.length > 0) bell.hasTold();
        afterSeq = page.position;
        if (!page.hasMore) notBefore = 0;
        while (!page.hasMore && !signal.aborted && !(await bell.rings(signal))) {
          if (signal.aborted) return;
          await sink.heartbeat(cursors.of(afterSeq));
          bell.hasTold();
        }
      }
    } finally {
      bell.close();
    }
  }

  return {
    /** A page of what came after the cursor; without a cursor, or with one of another log, nothing but the place that is now. */
    async poll(principal: string, request: EventsRequest, maxEvents: number): Promise<Polled> {
      const cursors = await cursorsOf();
      const { afterSeq, isLost } = await begin(request.cursor, cursors);
      if (request.cursor === null || isLost)
        return { occurrences: [], cursor: cursors.of(afterSeq), truncated: isLost, hasMore: false };
      const from = { afterSeq, notBefore: floorOf(request), limit: maxEvents, newest: null };
      const page = await read(principal, request, from);
      return {
        occurrences: page.events.map(({ event }) => occurrenceOf(event, request.name)),
        cursor: cursors.of(page.position),
        truncated: page.hasLost,
        hasMore: page.hasMore,
      };
    },

    /** The place that is now. */
    async cursor(): Promise<string> {
      return (await cursorsOf()).of(await store.lastEventSeq());
    },

    /** Resolves once `signal` has aborted. */
    async follow(principal: string, request: EventsRequest, sink: EventsSink, signal: AbortSignal): Promise<void> {
      if (streams >= STREAMS_MAX) throw new EventsError("ResourceExhausted", { limit: "streams", max: STREAMS_MAX });
      streams++;
      try {
        await tell(principal, request, sink, signal);
      } finally {
        streams--;
      }
    },
  };
}

/**
 * Rings when an event of the principal has been committed since the last time it was asked; false: it is time for a heartbeat. That comes
 * so long after the last word, and events that were not asked for are none.
 */
function createBell(principal: string, feed: EventsNeeds["feed"], clock: Clock) {
  let rung = new AbortController();
  let heartbeatAt = clock.now() + HEARTBEAT_MS;
  const close = feed.listen((committed) => {
    if (committed.principal === principal) rung.abort("an event was committed");
  });
  return {
    hasTold() {
      heartbeatAt = clock.now() + HEARTBEAT_MS;
    },
    async rings(signal: AbortSignal): Promise<boolean> {
      // Not longer when the clock is set back.
      const waitMs = Math.min(heartbeatAt - clock.now(), HEARTBEAT_MS);
      await clock.sleep(waitMs, AbortSignal.any([rung.signal, signal]));
      const hasRung = rung.signal.aborted;
      if (hasRung) rung = new AbortController();
      return hasRung;
    },
    close,
  };
}

/** The cursors of the store's log, whose name is asked for once. */
export function cursorsOfStore(store: EventStore): () => Promise<EventCursors> {
  let cursors: EventCursors | null = null;
  return async () => (cursors ??= createEventCursors(await store.eventLog()));
}
