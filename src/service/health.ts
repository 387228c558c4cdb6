import type { Counts, MaintenanceStore } from "./ports/maintenance-store.ts";

export interface HealthParts {
  readonly store: MaintenanceStore;
  /** The number of origins whose circuit is open. */
  readonly openCircuitCount: () => number;
}

export interface Health {
  /** Rejects when the store does not answer: the service is not healthy then. */
  counts(): Promise<Counts & { readonly openCircuitCount: number }>;
}

export function createHealth({ store, openCircuitCount }: HealthParts): Health {
  return {
    counts: async () => ({ ...(await store.counts()), openCircuitCount: openCircuitCount() }),
  };
}
