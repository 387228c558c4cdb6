import type { CallbackHistory, Store } from "./ports.ts";

export type Deliveries = ReturnType<typeof createDeliveries>;

export function createDeliveries({ store }: { readonly store: Pick<Store, "deliveryHistory"> }) {
  return {
    /** Every callback of a task id with what was sent to it; empty for a task id nobody registered for. */
    historyOf(principal: string, taskId: string): Promise<readonly CallbackHistory[]> {
      return store.deliveryHistory(principal, taskId);
    },
  };
}
