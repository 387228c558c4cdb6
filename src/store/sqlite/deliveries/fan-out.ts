import { BODY_PROFILE_VERSION } from "../../../domain/payload.ts";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { isExpired } from "../../../domain/not-after.ts";
import type { ClaimedDelivery, SlotReservation } from "../../../service/ports/delivery-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { FIRST_CLAIM, fanOutColumns, prepareDeliveryInsert } from "./insert.ts";
import type { FanOutCallback, Place } from "./insert.ts";
import { targetColumns, toDeliveryTarget } from "./claimed-delivery.ts";
import type { TargetRow } from "./claimed-delivery.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { toEvent } from "../schema/rows.ts";

/** The columns of a callback whose new delivery may be claimed with the end of the task. */
export const fanOutEventColumns = { ...fanOutColumns, ...targetColumns };

export type EnqueueDelivery = (callback: FanOutCallback & TargetRow, place?: Place) => void;

/** The deliveries of a task's end: those that it has claimed, and how many wait in the queue. */
export interface FanOut {
  readonly claimed: ClaimedDelivery[];
  waitingCount: number;
}

/** Enqueues a task's end, within the caller's transaction. A delivery for which `reservation` has a slot is claimed at once. */
export function prepareFanOut(db: SqliteConnection["db"], newId: NewId, cipher: SecretCipher) {
  const insertDelivery = prepareDeliveryInsert(db, newId);

  return (end: EndEvent, data: string, now: number, reservation: SlotReservation | undefined) => {
    const fanOut: FanOut = { claimed: [], waitingCount: 0 };
    // Parsed from the stored text, as a later claim parses it: the body has the same bytes on every attempt.
    let event: Event | null = null;

    const enqueueDelivery: EnqueueDelivery = (callback, place) => {
      const { origin, profile, notAfter, status } = callback;
      const isClaimed = status === "active" && !isExpired(notAfter, now) && reservation?.reserve(origin) === true;
      const deliveryId = insertDelivery(end.id, callback, now, { ...(place && { place }), isClaimed });
      if (!isClaimed) {
        fanOut.waitingCount++;
        return;
      }
      event ??= toEvent({ ...end, data });
      fanOut.claimed.push({
        deliveryId,
        claim: FIRST_CLAIM,
        attemptCount: 0,
        attemptsBefore: 0,
        origin,
        notAfter,
        profile,
        profileVersion: BODY_PROFILE_VERSION,
        cursor: place?.cursor ?? null,
        event,
        callback: toDeliveryTarget(callback, cipher, now),
      });
    };
    return { enqueueDelivery, fanOut };
  };
}
