import { sql } from "../engine/drizzle.ts";
import { BODY_PROFILE_VERSION } from "../../../domain/payload.ts";
import type { Callback } from "../../../domain/callback.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { callbacks, deliveries } from "../schema/tables.ts";

const bound = sql.placeholder;

/** What an outbox needs to know of a callback. */
export type FanOutCallback = Pick<Callback, "id" | "principal" | "notAfter" | "status" | "profile"> & {
  readonly origin: string;
};
/** The columns of an FanOutCallback. */
export const fanOutColumns = {
  id: callbacks.id,
  principal: callbacks.principal,
  origin: callbacks.origin,
  notAfter: callbacks.notAfter,
  status: callbacks.status,
  profile: callbacks.profile,
};

/** Of a delivery that begins claimed. */
export const FIRST_CLAIM = 1;

/** Where the event stands in the log, and what the body says of it. */
export interface Place {
  readonly seq: number;
  readonly cursor: string;
}

/** How a delivery begins: its place for the body's sake, and whether it is claimed already. */
interface Beginning {
  readonly place?: Place;
  readonly isClaimed?: boolean;
}

/** Puts an event into a callback's outbox: due at once, held while the callback is disabled, or claimed. Returns the delivery's id. */
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
      nextAttemptAt: bound("due"),
      claim: sql`${bound("claim")}`,
      createdAt: bound("now"),
      notAfter: bound("notAfter"),
    })
    .prepare();
  return (eventId, callback, now, { place, isClaimed = false } = {}) => {
    const { id: callbackId, principal, origin, profile, notAfter } = callback;
    const { seq = null, cursor = null } = place ?? {};
    const state = isClaimed
      ? { status: "sending", claim: FIRST_CLAIM, due: null }
      : { status: "pending", claim: 0, due: callback.status === "disabled" ? null : now };
    const id = newId("dlv");
    const of = { principal, origin, profile, notAfter };
    statement.run({ id, eventId, callbackId, ...of, seq, cursor, ...state, now });
    return id;
  };
}
