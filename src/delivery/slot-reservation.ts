import type { LimitKey } from "../domain/limit-key.ts";
import { limitKeyOf } from "../domain/limit-key.ts";
import type { ClaimedDelivery, SlotReservation } from "../service/ports/delivery-store.ts";
import type { Slot } from "./slots.ts";

export interface SlotReservationNeeds {
  /** A slot for one more request; null: none is free, or due deliveries wait for it. */
  readonly acquire: (key: LimitKey) => Slot | null;
  readonly release: (slot: Slot) => void;
  /** Starts the delivery, which releases the slot when it is over. */
  readonly begin: (delivery: ClaimedDelivery, slot: Slot) => void;
}

/** For one task's end: see the port. */
export function createSlotReservation({ acquire, release, begin }: SlotReservationNeeds): SlotReservation {
  const slots: Slot[] = [];

  /** A reserved slot with this key, which then leaves the reservation. */
  function take(key: LimitKey): Slot | undefined {
    const index = slots.findIndex((slot) => slot.key === key);
    return index === -1 ? undefined : slots.splice(index, 1)[0];
  }

  return {
    reserve(key) {
      const slot = acquire(key);
      if (slot !== null) slots.push(slot);
      return slot !== null;
    },
    committed(claimed) {
      for (const delivery of claimed) {
        const slot = take(limitKeyOf(delivery));
        if (slot !== undefined) begin(delivery, slot);
      }
    },
    release() {
      for (const slot of slots.splice(0)) release(slot);
    },
  };
}
