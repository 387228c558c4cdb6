import type { Progress } from "../../domain/task.ts";
import type { Clock } from "../../service/ports/clock.ts";

/** Between two records of one task's progress. */
const INTERVAL_MS = 1000;

export interface ProgressThrottle {
  push(progress: Progress): void;
  /** Resolves when the newest progress is recorded. Later progress is dropped. */
  end(): Promise<void>;
}

/** Records the first progress at once, and from then on the newest once in a while. It keeps one progress in memory. */
export function createProgressThrottle(clock: Clock, record: (progress: Progress) => Promise<void>): ProgressThrottle {
  const ended = new AbortController();
  let newest: Progress | null = null;
  let recording: Promise<void> | null = null;

  async function recordAll(): Promise<void> {
    while (newest !== null) {
      const progress: Progress = newest;
      newest = null;
      await record(progress);
      await clock.sleep(INTERVAL_MS, ended.signal);
    }
    recording = null;
  }

  return {
    push(progress) {
      if (ended.signal.aborted) return;
      newest = progress;
      recording ??= recordAll();
    },
    async end() {
      ended.abort("ended");
      await recording;
    },
  };
}
