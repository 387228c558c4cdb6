import { isSendable } from "../../../domain/callback-state.ts";
import { BODY_PROFILE_VERSION } from "../../../domain/payload.ts";
import type { EndEvent, Event } from "../../../domain/event.ts";
import { limitKeyOf } from "../../../domain/limit-key.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { ClaimedDelivery, ReserveSlot } from "../../../service/ports/delivery-store.ts";
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

/** The deliveries of one task's end. */
export interface FanOut {
  /** Claimed or pending. */
  deliveryCount: number;
  readonly claimed: ClaimedDelivery[];
}

/** Adds the deliveries of a task's end, claimed where a slot can be reserved; within the caller's transaction. */
export function prepareFanOut(db: SqliteConnection["db"], newId: NewId, cipher: SecretCipher) {
  const insertDelivery = prepareDeliveryInsert(db, newId);

  return (end: EndEvent, data: string, now: number, reserveSlot: ReserveSlot | undefined) => {
    const fanOut: FanOut = { deliveryCount: 0, claimed: [] };
    // Parsed from the stored text, as a later claim parses it: the bytes of every attempt are the same.
    let event: Event | null = null;

    const enqueueDelivery: EnqueueDelivery = (callback, place) => {
      const { origin, profile, notAfter } = callback;
      const isClaimed = isSendable(callback, now) && reserveSlot?.(limitKeyOf(callback)) === true;
      const deliveryId = insertDelivery(end.id, callback, now, { ...(place && { place }), isClaimed });
      fanOut.deliveryCount++;
      if (!isClaimed) return;
      event ??= toEvent({ ...end, data });
      fanOut.claimed.push({
        deliveryId,
        claim: FIRST_CLAIM,
        attemptCount: 0,
        attemptsBefore: 0,
        principal: callback.principal,
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
