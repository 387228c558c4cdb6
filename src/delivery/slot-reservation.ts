import type { ClaimedDelivery, SlotReservation } from "../service/ports/delivery-store.ts";
import type { Slot } from "./slots.ts";

export interface SlotReservationNeeds {
  /** A place for one more to this origin; null: it has to wait in line. */
  readonly enter: (origin: string) => Slot | null;
  readonly leave: (place: Slot) => void;
  readonly begin: (delivery: ClaimedDelivery, place: Slot) => void;
  readonly wake: () => void;
}

/** Of one task's end: see the port. */
export function createSlotReservation({ enter, leave, begin, wake }: SlotReservationNeeds): SlotReservation {
  let places: Slot[] = [];
  let claimed: readonly ClaimedDelivery[] = [];

  function giveBack(): void {
    const unused = places;
    places = [];
    for (const place of unused) leave(place);
  }

  return {
    restart: giveBack,
    reserve(origin) {
      const place = enter(origin);
      if (place !== null) places.push(place);
      return place !== null;
    },
    filled(those, waitingCount) {
      claimed = those;
      if (waitingCount > 0) wake();
    },
    close() {
      for (const delivery of claimed) {
        const place = places.shift();
        if (place !== undefined) begin(delivery, place);
      }
      giveBack();
    },
  };
}
