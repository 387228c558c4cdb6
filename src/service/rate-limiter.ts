const WINDOW_MS = 60_000;

/** Counts what somebody asks for within a minute, in memory: a restart forgives. */
export interface RateLimiter {
  /** Null: go on, it is counted. Otherwise the milliseconds until there is room again. */
  take(who: string, now: number): number | null;
  /** Takes one of these off the count again, as long as the minute in which it was counted has not passed. */
  giveBack(who: string, takenAt: number): void;
}

export function createRateLimiter(perMinute: number): RateLimiter {
  let startedAt = Number.NEGATIVE_INFINITY;
  let counts = new Map<string, number>();
  return {
    take(who, now) {
      // A clock that was set back begins a window too.
      if (now - startedAt >= WINDOW_MS || now < startedAt) {
        startedAt = now;
        counts = new Map();
      }
      const count = counts.get(who) ?? 0;
      if (count >= perMinute) return startedAt + WINDOW_MS - now;
      counts.set(who, count + 1);
      return null;
    },
    giveBack(who, takenAt) {
      const count = counts.get(who) ?? 0;
      if (takenAt >= startedAt && count > 0) counts.set(who, count - 1);
    },
  };
}
