import { and, min, ne, sql } from "../engine/drizzle.ts";
import { createEventCursors } from "../../../domain/event-cursor.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { nameOfLog, prepareLastSeq } from "../events/event-log.ts";
import { subscriptionIsPending } from "../schema/conditions.ts";
import { deliveries } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

const bound = sql.placeholder;

export interface Watermark {
  /** The place up to which everything a subscription was owed is settled. */
  now(callbackId: string): number;
  /** The cursor of that place once the event `seq` is settled as well: what its body says, the same on every attempt. */
  once(callbackId: string, seq: number): string;
}

/**
 * How far a subscription has come (SEP-3415, "watermark"): never past an event that is neither acknowledged nor given up. It only ever
 * moves forward, so what a body said when it was made stays true.
 */
export function prepareWatermark(db: SqliteConnection["db"]): Watermark {
  const lastSeq = prepareLastSeq(db);
  const cursors = createEventCursors(nameOfLog(db));
  const isOf = and(subscriptionIsPending, equals(deliveries.callbackId, "callbackId"));
  const first = db
    .select({ seq: min(deliveries.eventSeq) })
    .from(deliveries)
    .where(and(isOf, ne(deliveries.eventSeq, bound("seq"))))
    .prepare();
  return {
    now(callbackId) {
      const open = first.get({ callbackId, seq: 0 })?.seq ?? null;
      return open === null ? lastSeq() : open - 1;
    },
    once(callbackId, seq) {
      const open = first.get({ callbackId, seq })?.seq ?? null;
      return cursors.of(open === null || open > seq ? seq : open - 1);
    },
  };
}
