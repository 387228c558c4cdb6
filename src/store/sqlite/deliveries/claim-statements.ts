/** The statements of claiming.ts. */
import { and, asc, eq, gt, isNull, lte, or, sql } from "../engine/drizzle.ts";
import { targetColumns } from "./claimed-delivery.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deliveryIsPending, PENDING } from "../schema/conditions.ts";
import { callbacks, deliveries, events } from "../schema/tables.ts";

type Db = SqliteConnection["db"];

export interface DueDelivery {
  readonly id: string;
  readonly origin: string;
  readonly dueAt: number | null;
}

export interface EarliestOfOrigin {
  readonly origin: string;
  /** When its earliest pending delivery is due; null: all of them are held. */
  readonly dueAt: number | null;
}

export type LoadedDelivery = ReturnType<ReturnType<typeof prepareClaimStatements>["load"]["all"]>[number];

/** So many entries of the index are passed over for those of origins with free slots. */
const INDEX_PAST = 2000;

const bound = sql.placeholder;

/** When the earliest pending delivery of a principal to each origin is due, of `most` origins (-1: all). It goes from one origin to the next by index. */
const EARLIEST_OF_ORIGINS = `
  with recursive origins(origin) as (
    select min("origin") from "deliveries" where ${PENDING} and "principal" = +:principal
    union all
    select (
      select min("origin") from "deliveries"
      where ${PENDING} and "principal" = +:principal and "origin" > origins.origin
    )
      from origins where origins.origin is not null
      limit +:most
  ), earliest(origin, dueAt) as (
    select origin, (
      select min("next_attempt_at") from "deliveries"
      where ${PENDING} and "principal" = +:principal and "origin" = origins.origin
    ) from origins where origin is not null
  )
  select origin, dueAt from earliest`;

/** The queue of a principal without the origins that have no free slot: their entries in the index are passed over, and their rows are not read. */
const DUE_OF_OTHER_ORIGINS = `
  select due."id", due."origin", due."next_attempt_at" as "dueAt"
  from (
    select "rowid" as place, "origin" from "deliveries"
    where ${PENDING} and "principal" = +:principal and "next_attempt_at" <= :now order by "next_attempt_at" limit ${INDEX_PAST}
  ) as queue cross join "deliveries" as due on due."rowid" = queue.place
  where queue."origin" not in (select value from json_each(:full)) and (due."not_after" is null or due."not_after" > :now)
  limit +:most`;

const isInTime = or(isNull(deliveries.notAfter), gt(deliveries.notAfter, bound("now")));
const isChosen = sql`${deliveries.id} in (select value from json_each(${bound("ids")}))`;
const isDueOfOrigin = and(
  // Qualified, since callbacks have a status too.
  sql.raw(`"deliveries".${PENDING}`),
  equals(deliveries.principal, "principal"),
  equals(deliveries.origin, "origin"),
  lte(deliveries.nextAttemptAt, bound("now")),
  isInTime,
);
const earliestFirst = asc(deliveries.nextAttemptAt);

export function prepareClaimStatements(db: Db) {
  return {
    ...prepareChoosing(db),
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

/** Which deliveries of a principal are claimed. */
function prepareChoosing(db: Db) {
  const due = () =>
    db.select({ id: deliveries.id, origin: deliveries.origin, dueAt: deliveries.nextAttemptAt }).from(deliveries);
  return {
    due: due()
      .where(
        and(
          deliveryIsPending,
          equals(deliveries.principal, "principal"),
          lte(deliveries.nextAttemptAt, bound("now")),
          isInTime,
        ),
      )
      .orderBy(earliestFirst)
      .limit(limitTo("limit"))
      .prepare(),
    dueOf: due().where(isDueOfOrigin).orderBy(earliestFirst).limit(limitTo("limit")).prepare(),
    dueOfOtherOrigins: db.$client.prepare<{ now: number; principal: string; full: string; most: number }, DueDelivery>(
      DUE_OF_OTHER_ORIGINS,
    ),
    earliest: db.$client.prepare<{ principal: string; most: number }, EarliestOfOrigin>(EARLIEST_OF_ORIGINS),
  };
}

function prepareEvent(db: Db) {
  return db
    .select({ id: events.id, type: events.type, occurredAt: events.occurredAt, data: events.data })
    .from(events)
    .where(equals(events.id, "eventId"))
    .prepare();
}

/** The parts of a delivery that its request is made from. */
function loading(db: Db) {
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
