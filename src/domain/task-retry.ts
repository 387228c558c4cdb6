const FIRST_WAIT_MS = 1000;
const WAIT_MS_MAX = 300_000;

/** The wait of a task after a failed run: a second after run 1, then twice as long each time, up to five minutes. */
export function retryWaitMs(runCount: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** (runCount - 1), WAIT_MS_MAX);
}
