/**
 * How far a subscription has come (SEP-3415, "watermark"): a place in the log of events that never passes an event which is neither
 * acknowledged nor given up. It only moves forward, so what the body of a POST says of it stays true. A place is the `seq` of an event.
 */

/** `lastSeq`: the end of the log. `firstOpenSeq`: the first event with an open delivery to the subscription; null: none. */
export function watermark(lastSeq: number, firstOpenSeq: number | null): number {
  return firstOpenSeq === null ? lastSeq : firstOpenSeq - 1;
}

/** The watermark once the event `seq` is settled as well. `firstOpenSeq`: the first other event with an open delivery; null: none. */
export function watermarkAfter(seq: number, firstOpenSeq: number | null): number {
  return firstOpenSeq === null || firstOpenSeq > seq ? seq : firstOpenSeq - 1;
}
