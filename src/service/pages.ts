import type { Delivery } from "../domain/delivery.ts";

/** Pages that are bounded in bytes as well as in entries. */

/** Approximate JSON. An answer holds it twice: as structuredContent and as text. */
export const PAGE_BYTES_MAX = 256 * 1024;
/** Entries read at once. */
const STEP = 50;

/** Approximate JSON of each in an answer. */
const DELIVERY_BYTES = 300;
const ATTEMPT_BYTES = 120;

export interface PageSource<Entry> {
  /** `after`: the last entry before those to read; null: from the start. */
  read(after: Entry | null, limit: number): Promise<readonly Entry[]>;
  /** The approximate size of its JSON. */
  bytesOf(entry: Entry): number;
}

/** `limit` entries at most, and at least one if there is any. `last`: the entry after which the next page goes on; null: this is the last page. */
export async function readPage<Entry>(
  limit: number,
  { read, bytesOf }: PageSource<Entry>,
): Promise<{ readonly entries: readonly Entry[]; readonly last: Entry | null }> {
  const entries: Entry[] = [];
  let bytes = 0;
  for (;;) {
    const last = entries.at(-1) ?? null;
    const wanted = Math.min(STEP, limit - entries.length);
    // One more shows whether there is a next page.
    const found = await read(last, wanted + 1);
    for (const entry of found.slice(0, wanted)) {
      bytes += bytesOf(entry);
      if (entries.length > 0 && bytes > PAGE_BYTES_MAX) return { entries, last: entries.at(-1) ?? null };
      entries.push(entry);
    }
    if (found.length <= wanted) return { entries, last: null };
    if (entries.length === limit) return { entries, last: entries.at(-1) ?? null };
  }
}

export function bytesOfDeliveries(deliveries: readonly Pick<Delivery, "attempts">[]): number {
  return deliveries.reduce((bytes, { attempts }) => bytes + DELIVERY_BYTES + attempts.length * ATTEMPT_BYTES, 0);
}
