import type { ClaimedDelivery, Handover } from "../service/ports/delivery-store.ts";
import type { Ticket } from "./slots.ts";

export interface HandoverNeeds {
  /** A place for one more to this origin; null: it has to wait in line. */
  readonly enter: (origin: string) => Ticket | null;
  readonly leave: (place: Ticket) => void;
  readonly prepare: (claimed: readonly ClaimedDelivery[]) => void;
  readonly begin: (delivery: ClaimedDelivery, place: Ticket) => void;
  readonly wake: () => void;
}

/** Of one task's end: see the port. */
export function createHandover({ enter, leave, prepare, begin, wake }: HandoverNeeds): Handover {
  let places: Ticket[] = [];
  let claimed: readonly ClaimedDelivery[] = [];

  function giveBack(): void {
    const unused = places;
    places = [];
    for (const place of unused) leave(place);
  }

  return {
    restart: giveBack,
    takePlace(origin) {
      const place = enter(origin);
      if (place !== null) places.push(place);
      return place !== null;
    },
    filled(those, waitingCount) {
      claimed = those;
      prepare(those);
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
