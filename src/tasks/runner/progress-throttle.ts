import type { Progress } from "../../domain/task.ts";
import type { Clock } from "../../service/ports/clock.ts";

/** Between two writes of one task's progress. */
const INTERVAL_MS = 1000;

/** Passes on the first at once and then the newest, once in a while: whatever a handler tells costs one variable. */
export function createProgressThrottle(clock: Clock, tell: (progress: Progress) => Promise<void>) {
  const over = new AbortController();
  let newest: Progress | null = null;
  let telling: Promise<void> | null = null;

  async function tellAll(): Promise<void> {
    while (newest !== null) {
      const progress: Progress = newest;
      newest = null;
      await tell(progress);
      await clock.sleep(INTERVAL_MS, over.signal);
    }
    telling = null;
  }

  return {
    push(progress: Progress): void {
      if (over.signal.aborted) return;
      newest = progress;
      telling ??= tellAll();
    },
    /** Resolves when the last one is passed on; what comes later is dropped. */
    async end(): Promise<void> {
      over.abort("ended");
      await telling;
    },
  };
}
