import type { Clock } from "./ports/clock.ts";
import type { Counts, MaintenanceStore } from "./ports/maintenance-store.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { WorkQueues } from "./ports/work-queue.ts";

/** /health needs no token, and its counts read what is open: requests within this time get the same answer. */
const REMEMBERED_MS = 1000;
/** A locked file may fail a pass or two. */
const FAILED_PASSES_MAX = 3;

export interface HealthParts {
  readonly store: Pick<MaintenanceStore, "counts">;
  /** Throws when the file is lost or damaged. */
  readonly checkFile: () => void;
  readonly queues: WorkQueues;
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit;
  /** The number of origins whose circuit is open. */
  readonly openCircuitCount: () => number;
}

export type HealthCounts = Counts & { readonly openCircuitCount: number };

export interface Health {
  /**
   * At most a second old. Rejects when the service is not healthy: the store does not answer, its file is lost or damaged, or the passes of
   * a queue keep failing.
   */
  counts(): Promise<HealthCounts>;
}

export function createHealth({ store, checkFile, queues, clock, emit, openCircuitCount }: HealthParts): Health {
  let last: { readonly at: number; readonly counts: Promise<Counts> } | null = null;

  async function countNow(): Promise<Counts> {
    try {
      requireHealth();
      return await store.counts();
    } catch (error) {
      emit({ kind: "internal.failed", where: "health", error });
      throw error;
    }
  }

  function requireHealth(): void {
    checkFile();
    for (const [name, { failedPasses }] of Object.entries(queues)) {
      if (failedPasses >= FAILED_PASSES_MAX)
        throw new Error(`The last ${failedPasses} passes of the queue ${name} failed.`);
    }
  }

  return {
    async counts() {
      const age = last === null ? Infinity : clock.now() - last.at;
      // The system's clock may have been set back.
      if (last === null || age < 0 || age >= REMEMBERED_MS) last = { at: clock.now(), counts: countNow() };
      return { ...(await last.counts), openCircuitCount: openCircuitCount() };
    },
  };
}
