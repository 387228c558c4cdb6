import type { ClaimedDelivery, SlotReservation } from "../service/ports/delivery-store.ts";
import type { Slot } from "./slots.ts";

export interface SlotReservationNeeds {
  /** A slot for one more request to this origin; null: none is free, or earlier deliveries wait for it. */
  readonly acquire: (origin: string) => Slot | null;
  readonly release: (slot: Slot) => void;
  /** Starts the delivery, which releases the slot when it is over. */
  readonly begin: (delivery: ClaimedDelivery, slot: Slot) => void;
}

/** For one task's end: see the port. */
export function createSlotReservation({ acquire, release, begin }: SlotReservationNeeds): SlotReservation {
  const slots: Slot[] = [];

  /** A reserved slot for this origin, which is then no longer part of the reservation. */
  function take(origin: string): Slot | undefined {
    const index = slots.findIndex((slot) => slot.origin === origin);
    return index === -1 ? undefined : slots.splice(index, 1)[0];
  }

  return {
    reserve(origin) {
      const slot = acquire(origin);
      if (slot !== null) slots.push(slot);
      return slot !== null;
    },
    committed(claimed) {
      for (const delivery of claimed) {
        const slot = take(delivery.origin);
        if (slot !== undefined) begin(delivery, slot);
      }
    },
    release() {
      for (const slot of slots.splice(0)) release(slot);
    },
  };
}
