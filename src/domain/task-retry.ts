const FIRST_WAIT_MS = 1000;
const WAIT_MS_MAX = 300_000;

/** How long a task whose run has failed waits for its next one: a second after the first run, then twice as long each time, to five minutes. */
export function retryWaitMs(runCount: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** (runCount - 1), WAIT_MS_MAX);
}
