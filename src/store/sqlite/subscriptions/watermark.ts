import { and, min, ne, sql } from "../engine/drizzle.ts";
import { createEventCursors } from "../../../domain/event-cursor.ts";
import { watermark, watermarkAfter } from "../../../domain/watermark.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { nameOfLog, prepareLastSeq } from "../events/event-log.ts";
import { subscriptionIsPending } from "../schema/conditions.ts";
import { deliveries } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

const bound = sql.placeholder;

/** The rules of domain/watermark.ts on the rows of the store. */
export interface Watermark {
  /** The place up to which all events of a subscription are settled. */
  now(callbackId: string): number;
  /** The cursor of that place once the event `seq` is settled as well. The body of the POST has it, the same on every attempt. */
  once(callbackId: string, seq: number): string;
}

export function prepareWatermark(db: SqliteConnection["db"]): Watermark {
  const lastSeq = prepareLastSeq(db);
  const cursors = createEventCursors(nameOfLog(db));
  const isOf = and(subscriptionIsPending, equals(deliveries.callbackId, "callbackId"));
  const firstOpen = db
    .select({ seq: min(deliveries.eventSeq) })
    .from(deliveries)
    .where(and(isOf, ne(deliveries.eventSeq, bound("seq"))))
    .prepare();
  return {
    now(callbackId) {
      return watermark(lastSeq(), firstOpen.get({ callbackId, seq: 0 })?.seq ?? null);
    },
    once(callbackId, seq) {
      return cursors.of(watermarkAfter(seq, firstOpen.get({ callbackId, seq })?.seq ?? null));
    },
  };
}
