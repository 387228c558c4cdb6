import type { Counts, MaintenanceStore } from "./ports/maintenance-store.ts";

export type Health = ReturnType<typeof createHealth>;

export interface HealthNeeds {
  readonly store: MaintenanceStore;
  /** How many origins are in the slow lane. */
  readonly slowOrigins: () => number;
}

export function createHealth({ store, slowOrigins }: HealthNeeds) {
  return {
    /** Rejects when the store does not answer: then the service is not healthy. */
    async counts(): Promise<Counts & { readonly slowOrigins: number }> {
      return { ...(await store.counts()), slowOrigins: slowOrigins() };
    },
  };
}
