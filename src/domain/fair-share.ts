/**
 * How principals share a bound. A dynamic threshold (Choudhury and Hahne, for the shared memory of a switch): a principal may take a place
 * while it holds less than ALPHA times the free places. So a principal alone comes to hold three quarters, the rest stays free for the
 * next one, and each that holds nothing gets a place while any is free.
 */
const ALPHA = 3;

/** How many more places a principal that holds `held` may take while `free` are free. */
export function shareOf(held: number, free: number): number {
  // It takes one after the other: each adds 1 to `held` and takes 1 from `free`.
  const share = Math.ceil((ALPHA * free - held) / (ALPHA + 1));
  return Math.max(0, Math.min(free, share));
}

export interface Claimant {
  readonly held: number;
  /** How many more it may take. */
  readonly room: number;
}

/**
 * Divides `places`: each goes to the claimant with room that holds the fewest, of equals to the first in the list. Returns how many each
 * gets, in the order of the list.
 */
export function divide(places: number, claimants: readonly Claimant[]): readonly number[] {
  const given = claimants.map(() => 0);
  for (let place = 0; place < places; place++) {
    let next = -1;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [index, { held, room }] of claimants.entries()) {
      const gets = given[index] ?? 0;
      if (gets >= room || held + gets >= fewest) continue;
      next = index;
      fewest = held + gets;
    }
    if (next === -1) break;
    given[next] = (given[next] ?? 0) + 1;
  }
  return given;
}
