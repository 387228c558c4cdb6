/** A place in the log of events, opaque to clients: the events behind it have a higher `seq`. */
const PREFIX = "evc_";
const CURSOR_CHARS_MAX = 60;

export interface EventCursors {
  /** `seq`: of the last event before the place; 0: the start of the log. */
  of(seq: number): string;
  /** Null: it was not made for this log, so it does not say which events its owner has seen. */
  seqOf(cursor: string): number | null;
}

/**
 * The cursors of one log. Each names the log, since the numbers of another database mean other events. Older cursors name none and are
 * accepted.
 */
export function createEventCursors(log: string): EventCursors {
  const of = (seq: number): string => cursorWith(`${seq}.${log}`);
  return {
    of,
    seqOf(cursor) {
      if (!cursor.startsWith(PREFIX) || cursor.length > CURSOR_CHARS_MAX) return null;
      const text = Buffer.from(cursor.slice(PREFIX.length), "base64url").toString("latin1");
      const seq = Number(/^\d{1,16}(?=\.|$)/.exec(text)?.[0] ?? Number.NaN);
      const isOfThisLog = cursor === of(seq) || cursor === cursorWith(String(seq));
      return Number.isSafeInteger(seq) && isOfThisLog ? seq : null;
    },
  };
}

function cursorWith(text: string): string {
  return PREFIX + Buffer.from(text).toString("base64url");
}
