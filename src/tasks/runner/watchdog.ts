/** Looks whether the process still turns while handlers run: one that computes without end would hold up everything, for ever. */
export interface Watchdog {
  /** A handler of this task type is about to run, or has run. */
  begin(taskType: string): void;
  end(taskType: string): void;
  stop(): Promise<void>;
}

/** What the two threads share. */
export interface WatchedState {
  /** Counters, by `BEATS` and `RUNNING`. */
  readonly counters: Int32Array;
  /** What runs: UTF-8 JSON, with blanks behind it. */
  readonly names: Uint8Array;
  readonly stallMs: number;
  readonly lookEveryMs: number;
}
export const BEATS = 0;
export const RUNNING = 1;

export const NO_WATCHDOG: Watchdog = { begin: () => {}, end: () => {}, stop: async () => {} };
