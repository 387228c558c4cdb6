import { StoreUnavailable } from "../domain/errors.ts";
import type { Clock } from "./ports/clock.ts";
import type { Emit } from "./ports/telemetry.ts";

/** The wait after a failure of the store (disk full, file locked). */
const RETRY_MS = 1000;

export interface RetryParts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** The name of the work in the telemetry of a failure. */
  readonly where: string;
  /** Ends the retries. What was not stored is done again after the restart. */
  readonly signal: AbortSignal;
}

/**
 * Stores what has already happened (a request was sent, a task has ended), and retries as long as the store is unavailable: a failure of the
 * store must not be charged to a receiver or a task. The caller keeps its slot meanwhile, so a store that is down stops new work.
 * Resolves with null only when `signal` aborts first. Rejects with any error other than StoreUnavailable: a retry would not help.
 */
export async function retryUntilStored<T>(work: () => Promise<T>, parts: RetryParts): Promise<T | null> {
  const { clock, emit, where, signal } = parts;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      emit({ kind: "internal.failed", where, error });
      await clock.sleep(RETRY_MS, signal);
      if (signal.aborted) return null;
    }
  }
}
