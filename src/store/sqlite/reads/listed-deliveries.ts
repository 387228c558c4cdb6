/** A delivery with its attempts as history shows it: the columns of both, and rows into the domain's nouns. */
import { eq } from "../engine/drizzle.ts";
import type { Attempt } from "../../../domain/attempt.ts";
import { shownStatus } from "../../../domain/delivery-state.ts";
import type { Delivery } from "../../../domain/delivery.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { attempts, deliveries, events } from "../schema/tables.ts";

const deliveryColumns = {
  id: deliveries.id,
  callbackId: deliveries.callbackId,
  eventId: deliveries.eventId,
  event: events.type,
  status: deliveries.status,
  attemptCount: deliveries.attemptCount,
  nextAttemptAt: deliveries.nextAttemptAt,
  reason: deliveries.reason,
};

export const attemptColumns = {
  deliveryId: attempts.deliveryId,
  number: attempts.number,
  startedAt: attempts.startedAt,
  durationMs: attempts.durationMs,
  statusCode: attempts.statusCode,
  error: attempts.error,
};

export function selectDeliveries(db: SqliteConnection["db"]) {
  return db.select(deliveryColumns).from(deliveries).innerJoin(events, eq(events.id, deliveries.eventId));
}

type DeliveryRow = Omit<Delivery, "attempts"> & { readonly callbackId: string };
type AttemptRow = Attempt & { readonly deliveryId: string };

export function toDelivery(row: DeliveryRow, made: readonly AttemptRow[]): Delivery {
  const { callbackId: _, ...delivery } = row;
  const listed = made.map(({ deliveryId: __, ...attempt }) => attempt);
  return { ...delivery, status: shownStatus(row), attempts: listed };
}
