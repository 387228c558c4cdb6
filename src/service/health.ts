import type { Counts, MaintenanceStore } from "./ports/maintenance-store.ts";

export interface HealthParts {
  readonly store: MaintenanceStore;
  /** The number of origins whose circuit is open. */
  readonly slowOrigins: () => number;
}

export interface Health {
  /** Rejects when the store does not answer: the service is not healthy then. */
  counts(): Promise<Counts & { readonly slowOrigins: number }>;
}

export function createHealth({ store, slowOrigins }: HealthParts): Health {
  return {
    counts: async () => ({ ...(await store.counts()), slowOrigins: slowOrigins() }),
  };
}
