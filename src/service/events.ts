import { typesOf } from "../domain/event.ts";
import type { EventName } from "../domain/event.ts";
import { createEventCursors } from "../domain/event-cursor.ts";
import type { EventCursors } from "../domain/event-cursor.ts";
import { EventsError } from "../domain/events-error.ts";
import { occurrenceOf } from "../domain/occurrence.ts";
import type { Occurrence } from "../domain/occurrence.ts";
import type { Clock } from "./ports/clock.ts";
import type { Notifier } from "./ports/notifier.ts";
import type { EventsQuery, EventStore } from "./ports/event-store.ts";

/** SEP-3415 requires a heartbeat every 30 seconds at least. */
const HEARTBEAT_MS = 20_000;
/** Few: a page is in memory while a client reads it slowly, and each event may have a large result. */
const STREAM_PAGE = 10;
/** Past events that one stream begins with, the newest. */
const STREAM_REPLAY_MAX = 10_000;
/** Streams open at once, of all principals: each holds a connection. */
const STREAMS_MAX = 512;

export interface EventsParts {
  readonly store: EventStore;
  readonly notifier: Notifier;
  readonly clock: Clock;
}

/** Reads the log of events, independently of callbacks and subscriptions. */
export interface Events {
  /** A page of events after the cursor. Without a cursor, or with one of another log: no events and the current cursor. */
  poll(principal: string, request: EventsRequest, maxEvents: number): Promise<Polled>;
  /** The current end of the log. */
  cursor(): Promise<string>;
  /** Sends events to the sink as they are committed. Resolves once `signal` has aborted. Throws an EventsError when too many streams are open. */
  follow(principal: string, request: EventsRequest, sink: EventsSink, signal: AbortSignal): Promise<void>;
}

export interface EventsRequest {
  readonly name: EventName;
  /** The client's task id; null: every task of the principal. */
  readonly taskId: string | null;
  /** Null: only new events. */
  readonly cursor: string | null;
  /** Older past events are left out; null: none is. */
  readonly maxAgeMs: number | null;
}

export interface Polled {
  readonly occurrences: readonly Occurrence[];
  /** For the next poll. */
  readonly cursor: string;
  /** Events after the requested cursor are missing. */
  readonly truncated: boolean;
  readonly hasMore: boolean;
}

/** The receiving side of a stream. Each promise is awaited before the next call. */
export interface EventsSink {
  /** The first call, and again when events are missing. */
  active(cursor: string, truncated: boolean): Promise<void>;
  event(occurrence: Occurrence): Promise<void>;
  heartbeat(cursor: string): Promise<void>;
}

type Reading = Pick<EventsQuery, "afterSeq" | "notBefore" | "limit" | "newest">;

export function createEvents({ store, notifier, clock }: EventsParts): Events {
  let streams = 0;
  const cursorsOf = cursorsOfStore(store);

  /** Where a reader begins. `isLost`: the cursor is not of this log, so it is unknown which events are missing. */
  async function begin(cursor: string | null, cursors: EventCursors): Promise<{ afterSeq: number; isLost: boolean }> {
    const asked = cursor === null ? null : cursors.seqOf(cursor);
    if (asked !== null) return { afterSeq: asked, isLost: false };
    return { afterSeq: await store.lastEventSeq(), isLost: cursor !== null };
  }

  async function read(principal: string, { name, taskId }: EventsRequest, from: Reading) {
    return store.eventsAfter({ principal, types: typesOf(name), taskId, ...from });
  }

  /** Only past events may be too old. */
  function oldestAllowed({ cursor, maxAgeMs }: EventsRequest): number {
    return cursor === null || maxAgeMs === null ? 0 : clock.now() - maxAgeMs;
  }

  /** Sends past events, then new ones, until `signal` aborts. */
  async function stream(
    principal: string,
    request: EventsRequest,
    sink: EventsSink,
    signal: AbortSignal,
  ): Promise<void> {
    const arrivals = watchArrivals(principal, notifier, clock);
    try {
      const cursors = await cursorsOf();
      let { afterSeq, isLost } = await begin(request.cursor, cursors);
      let notBefore = oldestAllowed(request);
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
        if (isFirst || page.events.length > 0) arrivals.sent();
        afterSeq = page.position;
        if (!page.hasMore) notBefore = 0;
        while (!page.hasMore && !signal.aborted && !(await arrivals.next(signal))) {
          if (signal.aborted) return;
          await sink.heartbeat(cursors.of(afterSeq));
          arrivals.sent();
        }
      }
    } finally {
      arrivals.close();
    }
  }

  return {
    async poll(principal, request, maxEvents) {
      const cursors = await cursorsOf();
      const { afterSeq, isLost } = await begin(request.cursor, cursors);
      if (request.cursor === null || isLost)
        return { occurrences: [], cursor: cursors.of(afterSeq), truncated: isLost, hasMore: false };
      const from = { afterSeq, notBefore: oldestAllowed(request), limit: maxEvents, newest: null };
      const page = await read(principal, request, from);
      return {
        occurrences: page.events.map(({ event }) => occurrenceOf(event, request.name)),
        cursor: cursors.of(page.position),
        truncated: page.hasLost,
        hasMore: page.hasMore,
      };
    },

    async cursor() {
      return (await cursorsOf()).of(await store.lastEventSeq());
    },

    async follow(principal, request, sink, signal) {
      if (streams >= STREAMS_MAX) throw new EventsError("ResourceExhausted", { limit: "streams", max: STREAMS_MAX });
      streams++;
      try {
        await stream(principal, request, sink, signal);
      } finally {
        streams--;
      }
    },
  };
}

/** Events of the principal as they are committed, and the time of the next heartbeat: so long after the last call of the sink. */
function watchArrivals(principal: string, notifier: Notifier, clock: Clock) {
  let arrived = new AbortController();
  let heartbeatAt = clock.now() + HEARTBEAT_MS;
  const close = notifier.onEndOfPrincipal(principal, () => arrived.abort("an event was committed"));
  return {
    sent() {
      heartbeatAt = clock.now() + HEARTBEAT_MS;
    },
    /** True: an event was committed since the last call. False: a heartbeat is due, or `signal` has aborted. */
    async next(signal: AbortSignal): Promise<boolean> {
      // Not longer when the clock is set back.
      const waitMs = Math.min(heartbeatAt - clock.now(), HEARTBEAT_MS);
      await clock.sleep(waitMs, AbortSignal.any([arrived.signal, signal]));
      const hasArrived = arrived.signal.aborted;
      if (hasArrived) arrived = new AbortController();
      return hasArrived;
    },
    close,
  };
}

/** The cursors of the store's log, whose name is read once. */
export function cursorsOfStore(store: EventStore): () => Promise<EventCursors> {
  let cursors: EventCursors | null = null;
  return async () => (cursors ??= createEventCursors(await store.eventLog()));
}
