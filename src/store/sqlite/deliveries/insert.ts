import { sql } from "../engine/drizzle.ts";
import { BODY_PROFILE_VERSION } from "../../../domain/payload.ts";
import type { Callback } from "../../../domain/callback.ts";
import { enqueued } from "../../../domain/delivery-state.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { callbacks, deliveries } from "../schema/tables.ts";

const bound = sql.placeholder;

/** The parts of a callback that its new deliveries are made from. */
export type FanOutCallback = Pick<Callback, "id" | "principal" | "notAfter" | "status" | "profile"> & {
  readonly origin: string;
};
/** The columns of a `FanOutCallback`. */
export const fanOutColumns = {
  id: callbacks.id,
  principal: callbacks.principal,
  origin: callbacks.origin,
  notAfter: callbacks.notAfter,
  status: callbacks.status,
  profile: callbacks.profile,
};

/** The claim of a delivery that its task's end has claimed. */
export const FIRST_CLAIM = 1;

/** The event's place in the log, and the cursor that the body of its POST shows. */
export interface Place {
  readonly seq: number;
  readonly cursor: string;
}

/** `place`: of an event for a subscription. `isClaimed`: the end of the task has claimed it. */
interface Beginning {
  readonly place?: Place;
  readonly isClaimed?: boolean;
}

/** Enqueues an event for a callback, in the state that the rule `enqueued` gives. Returns the delivery's id. */
export function prepareDeliveryInsert(
  db: SqliteConnection["db"],
  newId: NewId,
): (eventId: string, callback: FanOutCallback, now: number, beginning?: Beginning) => string {
  const statement = db
    .insert(deliveries)
    .values({
      id: bound("id"),
      eventId: bound("eventId"),
      callbackId: bound("callbackId"),
      principal: bound("principal"),
      origin: bound("origin"),
      profile: sql`${bound("profile")}`,
      profileVersion: BODY_PROFILE_VERSION,
      eventSeq: bound("seq"),
      cursor: bound("cursor"),
      status: sql`${bound("status")}`,
      attemptCount: 0,
      nextAttemptAt: bound("nextAttemptAt"),
      claim: sql`${bound("claim")}`,
      createdAt: bound("now"),
      notAfter: bound("notAfter"),
    })
    .prepare();
  return (eventId, callback, now, { place, isClaimed = false } = {}) => {
    const { id: callbackId, principal, origin, profile } = callback;
    const { seq = null, cursor = null } = place ?? {};
    const { status, claim, nextAttemptAt, notAfter } = enqueued(callback, isClaimed, now);
    const id = newId("dlv");
    const of = { principal, origin, profile, notAfter };
    statement.run({ id, eventId, callbackId, ...of, seq, cursor, status, claim, nextAttemptAt, now });
    return id;
  };
}
