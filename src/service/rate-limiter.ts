const WINDOW_MS = 60_000;

/** Counts requests by key in windows of a minute. In memory: a restart begins a new window. */
export interface RateLimiter {
  /** Null: within the limit, and counted. Otherwise the milliseconds until the next window. */
  take(key: string, now: number): number | null;
  /** Takes a request off the count, if the window in which it was counted (`takenAt`, epoch ms) is not over. */
  release(key: string, takenAt: number): void;
}

export function createRateLimiter(perMinute: number): RateLimiter {
  let startedAt = Number.NEGATIVE_INFINITY;
  let counts = new Map<string, number>();
  return {
    take(key, now) {
      // A clock that was set back begins a window too.
      if (now - startedAt >= WINDOW_MS || now < startedAt) {
        startedAt = now;
        counts = new Map();
      }
      const count = counts.get(key) ?? 0;
      if (count >= perMinute) return startedAt + WINDOW_MS - now;
      counts.set(key, count + 1);
      return null;
    },
    release(key, takenAt) {
      const count = counts.get(key) ?? 0;
      if (takenAt >= startedAt && count > 0) counts.set(key, count - 1);
    },
  };
}
