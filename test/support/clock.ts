import type { Clock } from "../../src/service/ports/clock.ts";

export interface FakeClock extends Clock {
  /** Moves the time on and ends the sleeps whose time has come, the earliest first. */
  advance(ms: number): void;
  /** How many sleeps are waiting: a test of "nothing polls" looks here. */
  readonly sleeping: number;
}

export function createFakeClock(startMs = Date.parse("2026-11-23T05:00:00.000Z")): FakeClock {
  let nowMs = startMs;
  const sleeps = new Set<{ readonly until: number; readonly end: () => void }>();
  return {
    now: () => nowMs,
    get sleeping() {
      return sleeps.size;
    },
    sleep(ms, signal) {
      if (signal.aborted || ms <= 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      const entry = { until: nowMs + ms, end };
      function end(): void {
        sleeps.delete(entry);
        signal.removeEventListener("abort", end);
        resolve();
      }
      sleeps.add(entry);
      signal.addEventListener("abort", end, { once: true });
      return promise;
    },
    advance(ms) {
      nowMs += ms;
      const due = [...sleeps].filter((sleep) => sleep.until <= nowMs).toSorted((a, b) => a.until - b.until);
      for (const sleep of due) sleep.end();
    },
  };
}
