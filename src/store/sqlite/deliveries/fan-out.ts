import { BODY_PROFILE_VERSION } from "../../../domain/payload.ts";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { isOver } from "../../../domain/not-after.ts";
import type { ClaimedDelivery, Handover } from "../../../service/ports/delivery-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { FIRST_CLAIM, owedColumns, prepareDeliveryInsert } from "./insert.ts";
import type { OwedCallback, Place } from "./insert.ts";
import { targetColumns, targetOf } from "./claimed-delivery.ts";
import type { TargetRow } from "./claimed-delivery.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { toEvent } from "../schema/rows.ts";

/** The columns of a callback that may be sent at once what it is owed. */
export const owingColumns = { ...owedColumns, ...targetColumns };

export type Owe = (callback: OwedCallback & TargetRow, place?: Place) => void;

/** What a task's end owes: what is claimed already, and how much waits in line. */
export interface Owed {
  readonly claimed: ClaimedDelivery[];
  waitingCount: number;
}

/** Puts a task's end into outboxes, claimed at once where the handover has a place; within the caller's transaction. */
export function prepareOwing(db: SqliteConnection["db"], newId: NewId, cipher: SecretCipher) {
  const insertDelivery = prepareDeliveryInsert(db, newId);

  return (end: EndEvent, data: string, now: number, handover: Handover | undefined) => {
    const owed: Owed = { claimed: [], waitingCount: 0 };
    // As whoever claims it later has it, so that the bytes of every attempt are the same.
    let event: Event | null = null;

    const owe: Owe = (callback, place) => {
      const { origin, profile, notAfter, status } = callback;
      const isClaimed = status === "active" && !isOver(notAfter, now) && handover?.takePlace(origin) === true;
      const deliveryId = insertDelivery(end.id, callback, now, { ...(place && { place }), isClaimed });
      if (!isClaimed) {
        owed.waitingCount++;
        return;
      }
      event ??= toEvent({ ...end, data });
      owed.claimed.push({
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
        callback: targetOf(callback, cipher, now),
      });
    };
    return { owe, owed };
  };
}
