import { typesOf } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { PutSubscription, Replay } from "../../../service/ports/subscription-store.ts";
import { prepareDeliveryInsert } from "../deliveries/insert.ts";
import { prepareDeliveryStates } from "../deliveries/state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareEventReading } from "../events/event-log.ts";
import type { SubscriptionRow } from "./rows.ts";
import { prepareSubscriptions } from "./statements.ts";
import { prepareWatermark } from "./watermark.ts";

export interface Replayed {
  /** Delivery starts later than was asked for. */
  readonly truncated: boolean;
  /** Deliveries that are due now. */
  readonly replayed: number;
}

/**
 * Enqueues the events behind a place for a new subscription, within the caller's transaction. An event that the same subscription had
 * before it ended has its delivery already, which is opened again.
 */
export function prepareReplay({ db, reportUnreadable }: SqliteConnection, newId: NewId) {
  const statements = prepareSubscriptions(db);
  const read = prepareEventReading(db, reportUnreadable);
  const insertDelivery = prepareDeliveryInsert(db, newId);
  const states = prepareDeliveryStates(db);
  const watermarkOf = prepareWatermark(db);

  return (row: SubscriptionRow, { key, now }: PutSubscription, replay: Replay): Replayed => {
    const { afterSeq, notBefore, max } = replay;
    const { principal, name, taskId } = key;
    const page = read({ principal, afterSeq, types: typesOf(name), taskId, notBefore, limit: max, newest: max });
    const { callbackId, origin, status, expiresAt: notAfter } = row;
    const callback = { id: callbackId, principal, origin, status, notAfter, profile: "mcp-events" } as const;
    for (const { seq, event } of page.events) {
      const cursor = watermarkOf.once(callbackId, seq);
      const before = statements.deliveryOf.get({ callbackId, eventId: event.id });
      if (before === undefined) insertDelivery(event.id, callback, now, { place: { seq, cursor } });
      else {
        statements.setCursor.run({ deliveryId: before.id, cursor });
        states.reopen(before.id, now);
      }
    }
    return { truncated: page.hasLost, replayed: page.events.length };
  };
}
