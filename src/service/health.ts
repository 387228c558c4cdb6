import type { Counts, Store } from "./ports.ts";

export type Health = ReturnType<typeof createHealth>;

export function createHealth({ store }: { readonly store: Pick<Store, "counts"> }) {
  return {
    /** Rejects when the store does not answer: then the service is not healthy. */
    counts(): Promise<Counts> {
      return store.counts();
    },
  };
}
