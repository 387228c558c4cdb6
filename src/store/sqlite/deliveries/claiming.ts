/**
 * Which deliveries are claimed, and what is read of them for the sending. A claim must not read past deliveries that it may not take, so
 * the choice is in SQL by index. It implements the rule `isExpired`: a delivery whose not_after has come is not claimed.
 */
import { and, asc, eq, gt, isNull, lte, or, sql } from "../engine/drizzle.ts";
import type { Event } from "../../../domain/event.ts";
import type { ClaimDeliveries, ClaimedDelivery } from "../../../service/ports/delivery-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { targetColumns, toDeliveryTarget } from "./claimed-delivery.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { toEvent } from "../schema/rows.ts";
import { deliveryIsPending, PENDING } from "../schema/conditions.ts";
import { callbacks, deliveries, events } from "../schema/tables.ts";

interface DueDelivery {
  readonly id: string;
  readonly origin: string;
  readonly dueAt: number | null;
}

interface EarliestOfOrigin {
  readonly origin: string;
  /** When its earliest pending delivery is due; null: all of them are held. */
  readonly dueAt: number | null;
}

type LoadedDelivery = ReturnType<ReturnType<typeof prepareStatements>["load"]["all"]>[number];

/** Up to this many origins are read one by one: the queue may hold a thousand rows of an origin without free slots. */
const FEW_ORIGINS = 8;
/** The queue is read so far past the wanted number for deliveries of origins with free slots… */
const READ_PAST = 64;
/** …and then so far along the index alone, before each origin is read by itself. */
const INDEX_PAST = 2000;

const bound = sql.placeholder;

/** Claims within the caller's transaction. */
export function prepareClaiming(
  db: SqliteConnection["db"],
  cipher: SecretCipher,
): (command: ClaimDeliveries) => readonly ClaimedDelivery[] {
  const claiming = prepareStatements(db);

  function claimDue(command: ClaimDeliveries): ClaimedDelivery[] {
    const chosen = chooseByOrigin(command) ?? load(chooseAlongQueue(command));
    if (chosen.length === 0) return [];
    claiming.claim.run({ ids: JSON.stringify(chosen.map(({ delivery }) => delivery.deliveryId)) });
    // The event of a task's end is read and parsed once for all its callbacks.
    const known = new Map<string, Event>();
    return chosen.map((row) => toClaimed(row, command.now, known));
  }

  /** As many deliveries as there are free slots, the oldest first, for few origins; null: too many origins wait, or more is due than `limit`. */
  function chooseByOrigin({ now, limit, perOrigin, freeSlotsByKey }: ClaimDeliveries): LoadedDelivery[] | null {
    const origins = claiming.earliest.all({ most: FEW_ORIGINS + 1 });
    if (origins.length > FEW_ORIGINS) return null;
    const wanted = origins
      .filter((one) => isDue(one, now))
      .map(({ origin }) => ({ origin, limit: Math.max(0, freeSlotsByKey.get(origin) ?? perOrigin) }));
    if (wanted.reduce((sum, one) => sum + one.limit, 0) > limit) return null;
    return wanted
      .flatMap((one) => (one.limit === 0 ? [] : claiming.loadDueOf.all({ now, ...one })))
      .toSorted((left, right) => (left.dueAt ?? 0) - (right.dueAt ?? 0));
  }

  function load(chosen: readonly DueDelivery[]): LoadedDelivery[] {
    const rows = claiming.load.all({ ids: JSON.stringify(chosen.map(({ id }) => id)) });
    const byId = new Map(rows.map((row) => [row.delivery.deliveryId, row]));
    return chosen.map(({ id }) => byId.get(id) ?? missing(id));
  }

  /** Due deliveries of origins with free slots, the oldest first. */
  function chooseAlongQueue({ now, limit, perOrigin, freeSlotsByKey }: ClaimDeliveries): DueDelivery[] {
    const slots = new Map(freeSlotsByKey);
    const chosen = new Map<string, DueDelivery>();
    const take = (due: DueDelivery): void => {
      const left = slots.get(due.origin) ?? perOrigin;
      if (left <= 0 || chosen.size >= limit || chosen.has(due.id)) return;
      slots.set(due.origin, left - 1);
      chosen.set(due.id, due);
    };
    const oldest = claiming.due.all({ now, limit: limit + READ_PAST });
    for (const due of oldest) take(due);
    if (chosen.size === limit || oldest.length < limit + READ_PAST) return [...chosen.values()];
    // Origins without free slots fill the start of the queue: pass over them, and then read each other origin by itself.
    const full = JSON.stringify([...slots].filter(([, left]) => left <= 0).map(([origin]) => origin));
    for (const due of claiming.dueOfOtherOrigins.all({ now, full, most: limit + READ_PAST })) take(due);
    if (chosen.size === limit) return [...chosen.values()];
    const earliest = claiming.earliest.all({ most: -1 }).filter((one) => isDue(one, now));
    for (const { origin } of earliest.toSorted((left, right) => (left.dueAt ?? 0) - (right.dueAt ?? 0))) {
      const wanted = Math.min(slots.get(origin) ?? perOrigin, limit - chosen.size);
      // `perOrigin` more, since so many of them may have been taken above.
      if (wanted > 0) for (const due of claiming.dueOf.all({ now, origin, limit: perOrigin + wanted })) take(due);
    }
    return [...chosen.values()];
  }

  function toClaimed(row: LoadedDelivery, now: number, known: Map<string, Event>): ClaimedDelivery {
    const { delivery, eventId, callback } = row;
    const event = known.get(eventId) ?? eventOf(eventId);
    known.set(eventId, event);
    return { ...delivery, claim: delivery.claim + 1, event, callback: toDeliveryTarget(callback, cipher, now) };
  }

  function eventOf(eventId: string): Event {
    const row = claiming.event.get({ eventId });
    if (row === undefined) throw new Error(`Event ${eventId} is gone.`);
    return toEvent(row);
  }

  return claimDue;
}

function isDue({ dueAt }: EarliestOfOrigin, now: number): boolean {
  return dueAt !== null && dueAt <= now;
}

function missing(id: string): never {
  throw new Error(`Delivery ${id} lost its callback.`);
}

/** When the earliest pending delivery of each origin is due, of `most` origins (-1: all). It goes from one origin to the next by index. */
const EARLIEST_OF_ORIGINS = `
  with recursive origins(origin) as (
    select min("origin") from "deliveries" where ${PENDING}
    union all
    select (select min("origin") from "deliveries" where ${PENDING} and "origin" > origins.origin)
      from origins where origins.origin is not null
      limit +:most
  ), earliest(origin, dueAt) as (
    select origin, (select min("next_attempt_at") from "deliveries" where ${PENDING} and "origin" = origins.origin)
      from origins where origin is not null
  )
  select origin, dueAt from earliest`;

/** The queue without the origins that have no free slot: their entries in the index are passed over, and their rows are not read. */
const DUE_OF_OTHER_ORIGINS = `
  select due."id", due."origin", due."next_attempt_at" as "dueAt"
  from (
    select "rowid" as place, "origin" from "deliveries"
    where ${PENDING} and "next_attempt_at" <= :now order by "next_attempt_at" limit ${INDEX_PAST}
  ) as queue cross join "deliveries" as due on due."rowid" = queue.place
  where queue."origin" not in (select value from json_each(:full)) and (due."not_after" is null or due."not_after" > :now)
  limit +:most`;

function prepareStatements(db: SqliteConnection["db"]) {
  const isInTime = or(isNull(deliveries.notAfter), gt(deliveries.notAfter, bound("now")));
  const isChosen = sql`${deliveries.id} in (select value from json_each(${bound("ids")}))`;
  const isDueOfOrigin = and(
    // Qualified, since callbacks have a status too.
    sql.raw(`"deliveries".${PENDING}`),
    equals(deliveries.origin, "origin"),
    lte(deliveries.nextAttemptAt, bound("now")),
    isInTime,
  );
  const earliestFirst = asc(deliveries.nextAttemptAt);
  return {
    due: db
      .select({ id: deliveries.id, origin: deliveries.origin, dueAt: deliveries.nextAttemptAt })
      .from(deliveries)
      .where(and(deliveryIsPending, lte(deliveries.nextAttemptAt, bound("now")), isInTime))
      .orderBy(earliestFirst)
      .limit(limitTo("limit"))
      .prepare(),
    dueOf: db
      .select({ id: deliveries.id, origin: deliveries.origin, dueAt: deliveries.nextAttemptAt })
      .from(deliveries)
      .where(isDueOfOrigin)
      .orderBy(earliestFirst)
      .limit(limitTo("limit"))
      .prepare(),
    dueOfOtherOrigins: db.$client.prepare<{ now: number; full: string; most: number }, DueDelivery>(
      DUE_OF_OTHER_ORIGINS,
    ),
    earliest: db.$client.prepare<{ most: number }, EarliestOfOrigin>(EARLIEST_OF_ORIGINS),
    claim: db
      .update(deliveries)
      .set({ status: "sending", claim: sql`${deliveries.claim} + 1`, nextAttemptAt: null, sendAgain: false })
      .where(isChosen)
      .prepare(),
    load: loading(db).where(isChosen).prepare(),
    loadDueOf: loading(db).where(isDueOfOrigin).orderBy(earliestFirst).limit(limitTo("limit")).prepare(),
    event: prepareEvent(db),
  };
}

function prepareEvent(db: SqliteConnection["db"]) {
  return db
    .select({ id: events.id, type: events.type, occurredAt: events.occurredAt, data: events.data })
    .from(events)
    .where(equals(events.id, "eventId"))
    .prepare();
}

/** The parts of a delivery that its request is made from. */
function loading(db: SqliteConnection["db"]) {
  return db
    .select({
      delivery: {
        deliveryId: deliveries.id,
        claim: deliveries.claim,
        attemptCount: deliveries.attemptCount,
        notAfter: deliveries.notAfter,
        attemptsBefore: deliveries.attemptsBefore,
        principal: deliveries.principal,
        origin: deliveries.origin,
        profile: deliveries.profile,
        profileVersion: deliveries.profileVersion,
        cursor: deliveries.cursor,
      },
      dueAt: deliveries.nextAttemptAt,
      eventId: deliveries.eventId,
      callback: targetColumns,
    })
    .from(deliveries)
    .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId));
}
