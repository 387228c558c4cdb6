import { StoreUnavailable } from "../domain/errors.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";

/** How long a failure of our own store (disk full, file locked) is waited out before the next try. */
const STORE_RETRY_MS = 1000;

export interface UntilStoredNeeds {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly where: string;
  /** Ends the trying: what could not be stored is then done again after the restart. */
  readonly signal: AbortSignal;
}

/**
 * Stores something that has already happened (a request was sent, a task ended), however long our store is unwell: giving up would
 * charge our own trouble to others. Whoever waits holds its slot meanwhile, so a store that is down slows new work to a halt.
 * Resolves with null only when `signal` aborts first; anything but StoreUnavailable is thrown on: trying again would not help.
 */
export async function untilStored<T>(work: () => Promise<T>, needs: UntilStoredNeeds): Promise<T | null> {
  const { clock, emit, where, signal } = needs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      emit({ kind: "internal.failed", where, error });
      await clock.sleep(STORE_RETRY_MS, signal);
      if (signal.aborted) return null;
    }
  }
}
