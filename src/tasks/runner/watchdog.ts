/** Ends the process when a handler blocks the event loop: nothing else can run meanwhile. */
export interface Watchdog {
  /** A handler of this task type starts. */
  begin(taskType: string): void;
  /** It has ended. */
  end(taskType: string): void;
  stop(): Promise<void>;
}

/** Shared by the two threads. */
export interface WatchedState {
  /** Counters, by `TICKS` and `RUNNING`. */
  readonly counters: Int32Array;
  /** The task types of running handlers: a JSON array in UTF-8, padded with spaces. */
  readonly names: Uint8Array;
  readonly stallMs: number;
  readonly checkEveryMs: number;
}
export const TICKS = 0;
export const RUNNING = 1;

export const NO_WATCHDOG: Watchdog = { begin: () => {}, end: () => {}, stop: async () => {} };
