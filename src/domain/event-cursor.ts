/** A place in the log of events, opaque to clients: what comes after it has a higher `seq`. */
const PREFIX = "evc_";

/** `seq`: of the last event that is behind the place; 0 is before all of them. */
export function eventCursorOf(seq: number): string {
  return PREFIX + Buffer.from(String(seq)).toString("base64url");
}

/** Null: none of ours. */
export function seqOfCursor(cursor: string): number | null {
  if (!cursor.startsWith(PREFIX) || cursor.length > 40) return null;
  const digits = Buffer.from(cursor.slice(PREFIX.length), "base64url").toString("latin1");
  const seq = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  return Number.isSafeInteger(seq) && eventCursorOf(seq) === cursor ? seq : null;
}
