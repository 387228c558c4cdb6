export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Resolves after `ms` (24 days at most: setTimeout fires at once for more than 24.8), or at once when `signal` aborts. Never rejects: the
   * caller looks at the signal.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
