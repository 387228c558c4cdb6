import type { ResolvedAddress } from "./hosts-file.ts";
import type { NameLookupError } from "./lookup-error.ts";

export type Remembered =
  | { readonly addresses: readonly ResolvedAddress[]; readonly error?: undefined }
  | { readonly addresses?: undefined; readonly error: NameLookupError };

export interface NameCache {
  /** `staleMs`: addresses count for so long beyond their time. */
  find(name: string, staleMs?: number): Remembered | undefined;
  /** Keeps `found` for `ms`, at least and at most as the bounds say. */
  keep(name: string, found: Remembered, ms: number): void;
}

/** A name server that says 0 is still not asked for each of a hundred deliveries that start together. */
const KEPT_MS = { least: 1_000, most: 60_000 };
/** About 2 MB. The one that was kept first makes room. */
const NAMES_MAX = 4_096;

/** `now`: milliseconds that never go back. */
export function createNameCache(now: () => number): NameCache {
  const kept = new Map<string, { readonly found: Remembered; readonly until: number }>();
  return {
    find(name, staleMs = 0) {
      const entry = kept.get(name);
      if (entry === undefined) return undefined;
      const until = entry.found.error === undefined ? entry.until + staleMs : entry.until;
      return until > now() ? entry.found : undefined;
    },
    keep(name, found, ms) {
      kept.delete(name);
      kept.set(name, { found, until: now() + Math.min(Math.max(ms, KEPT_MS.least), KEPT_MS.most) });
      const [oldest] = kept.keys();
      if (kept.size > NAMES_MAX && oldest !== undefined) kept.delete(oldest);
    },
  };
}
