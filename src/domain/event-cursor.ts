/** A place in the log of events, opaque to clients: what comes after it has a higher `seq`. */
const PREFIX = "evc_";
const CURSOR_CHARS_MAX = 60;

export interface EventCursors {
  /** `seq`: of the last event that is behind the place; 0 is before all of them. */
  of(seq: number): string;
  /** Null: it was not made for this log, so which events its owner has seen is unknown. */
  seqOf(cursor: string): number | null;
}

/**
 * The cursors of one log, which each of them names: the numbers of another database mean other events. Those that name none are of the
 * time before cursors did, and are taken.
 */
export function createEventCursors(log: string): EventCursors {
  const of = (seq: number): string => cursorWith(`${seq}.${log}`);
  return {
    of,
    seqOf(cursor) {
      if (!cursor.startsWith(PREFIX) || cursor.length > CURSOR_CHARS_MAX) return null;
      const text = Buffer.from(cursor.slice(PREFIX.length), "base64url").toString("latin1");
      const seq = Number(/^\d{1,16}(?=\.|$)/.exec(text)?.[0] ?? Number.NaN);
      const isOurs = cursor === of(seq) || cursor === cursorWith(String(seq));
      return Number.isSafeInteger(seq) && isOurs ? seq : null;
    },
  };
}

function cursorWith(text: string): string {
  return PREFIX + Buffer.from(text).toString("base64url");
}
