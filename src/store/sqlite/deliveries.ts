import { and, asc, eq, gt, isNull, lte, or, sql } from "drizzle-orm";
import type { Event } from "../../domain/event.ts";
import { secretsAt } from "../../domain/signing-secrets.ts";
import type {
  ClaimDeliveries,
  ClaimedDelivery,
  DeliveryClaim,
  RecordAttempt,
  RecordAttemptResult,
} from "../../service/delivery-ports.ts";
import type { Store } from "../../service/ports.ts";
import type { SecretCipher } from "../secret-cipher.ts";
import { prepareRecording } from "./attempts.ts";
import type { SqliteConnection } from "./connection.ts";
import { dueUnlessHeld } from "./outbox.ts";
import { toEvent } from "./rows.ts";
import {
  callbacks,
  deliveries,
  deliveryIsPending,
  deliveryIsSending,
  events,
  PENDING,
  taskIsOpen,
  tasks,
} from "./schema.ts";
import { readableSecrets } from "./secrets.ts";

type DeliveryVerbs = Pick<Store, "claimDueDeliveries" | "resumeClaim" | "recordAttempt" | "releaseClaim" | "reclaim">;

interface DueDelivery {
  readonly id: string;
  readonly origin: string;
}

/** How far past the wanted number the line is looked along for origins that have room, before each origin is asked by itself. */
const LOOK_PAST = 64;

const bound = sql.placeholder;

export function deliveryVerbs({ db, write }: SqliteConnection, cipher: SecretCipher): DeliveryVerbs {
  const claiming = prepareClaiming(db);
  const holding = prepareHolding(db);
  const reclaiming = prepareReclaiming(db);
  const record = prepareRecording(db);

  function claimDue({ now, limit, perOrigin, roomOf }: ClaimDeliveries): ClaimedDelivery[] {
    const room = new Map(roomOf);
    const claimed: ClaimedDelivery[] = [];
    // A task's end goes to all its callbacks: its event is read and parsed once.
    const known = new Map<string, Event>();
    const take = ({ id, origin }: DueDelivery): void => {
      const left = room.get(origin) ?? perOrigin;
      if (left <= 0 || claimed.length >= limit) return;
      room.set(origin, left - 1);
      claimed.push(claimOne(id, now, known));
    };
    const oldest = claiming.due.all({ now, limit: limit + LOOK_PAST });
    for (const due of oldest) take(due);
    if (claimed.length === limit || oldest.length < limit + LOOK_PAST) return claimed;
    // Origins without room fill the head of the line: ask each of the others by itself.
    const heads = claiming.heads.all({ now }).toSorted((left, right) => left.dueAt - right.dueAt);
    for (const { origin } of heads) {
      const wanted = Math.min(room.get(origin) ?? perOrigin, limit - claimed.length);
      if (wanted > 0) for (const { id } of claiming.dueOf.all({ now, origin, limit: wanted })) take({ id, origin });
    }
    return claimed;
  }

  function claimOne(id: string, now: number, known: Map<string, Event>): ClaimedDelivery {
    claiming.claim.run({ id });
    const row = claiming.load.get({ id });
    if (row === undefined) throw new Error(`Delivery ${id} lost its callback.`);
    const { delivery, eventId, callback } = row;
    const { signingSecret: _, olderSecrets: __, ...target } = callback;
    const secrets = readableSecrets(callback, cipher);
    const signingSecrets = secrets === null ? [] : secretsAt(secrets, now);
    const event = known.get(eventId) ?? eventOf(eventId);
    known.set(eventId, event);
    return { ...delivery, event, callback: { ...target, signingSecrets } };
  }

  function eventOf(eventId: string): Event {
    const row = claiming.event.get({ eventId });
    if (row === undefined) throw new Error(`Event ${eventId} is gone.`);
    return toEvent(row);
  }

  return {
    async claimDueDeliveries(command) {
      return write(() => claimDue(command));
    },
    async resumeClaim(claim: DeliveryClaim) {
      return write(() => holding.resume.run({ ...claim }).changes > 0);
    },
    recordAttempt(command: RecordAttempt): Promise<RecordAttemptResult> {
      return write(() => record(command));
    },
    async releaseClaim(claim, nextAttemptAt) {
      await write(() => holding.release.run({ ...claim, nextAttemptAt }));
    },
    async reclaim(now) {
      return write(() => ({
        tasks: reclaiming.tasks.run().changes,
        deliveries: reclaiming.deliveries.run({ now }).changes,
      }));
    },
  };
}

/** When each origin's earliest pending delivery is due: from one origin to the next by index, whatever number of rows each has. */
const HEADS_OF_ORIGINS = `
  with recursive origins(origin) as (
    select min("origin") from "deliveries" where ${PENDING}
    union all
    select (select min("origin") from "deliveries" where ${PENDING} and "origin" > origins.origin)
      from origins where origins.origin is not null
  ), heads(origin, dueAt) as (
    select origin, (select min("next_attempt_at") from "deliveries" where ${PENDING} and "origin" = origins.origin)
      from origins where origin is not null
  )
  select origin, dueAt from heads where dueAt <= :now`;

function prepareClaiming(db: SqliteConnection["db"]) {
  const isInTime = or(isNull(deliveries.notAfter), gt(deliveries.notAfter, bound("now")));
  return {
    due: db
      .select({ id: deliveries.id, origin: deliveries.origin })
      .from(deliveries)
      .where(and(deliveryIsPending, lte(deliveries.nextAttemptAt, bound("now")), isInTime))
      .orderBy(asc(deliveries.nextAttemptAt))
      .limit(bound("limit"))
      .prepare(),
    dueOf: db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(
        and(
          deliveryIsPending,
          eq(deliveries.origin, bound("origin")),
          lte(deliveries.nextAttemptAt, bound("now")),
          isInTime,
        ),
      )
      .orderBy(asc(deliveries.nextAttemptAt))
      .limit(bound("limit"))
      .prepare(),
    heads: db.$client.prepare<{ now: number }, { origin: string; dueAt: number }>(HEADS_OF_ORIGINS),
    claim: db
      .update(deliveries)
      .set({ status: "sending", claim: sql`${deliveries.claim} + 1`, nextAttemptAt: null, sendAgain: false })
      .where(eq(deliveries.id, bound("id")))
      .prepare(),
    load: db
      .select({
        delivery: {
          deliveryId: deliveries.id,
          claim: deliveries.claim,
          attemptCount: deliveries.attemptCount,
          notAfter: deliveries.notAfter,
          attemptsBefore: deliveries.attemptsBefore,
          origin: deliveries.origin,
          profile: deliveries.profile,
          profileVersion: deliveries.profileVersion,
          cursor: deliveries.cursor,
        },
        eventId: deliveries.eventId,
        callback: {
          id: callbacks.id,
          clientId: callbacks.clientId,
          url: callbacks.url,
          eventName: callbacks.eventName,
          subscriptionId: callbacks.subscriptionId,
          signingSecret: callbacks.signingSecret,
          olderSecrets: callbacks.olderSecrets,
        },
      })
      .from(deliveries)
      .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
      .where(eq(deliveries.id, bound("id")))
      .prepare(),
    event: db
      .select({ id: events.id, type: events.type, occurredAt: events.occurredAt, data: events.data })
      .from(events)
      .where(eq(events.id, bound("eventId")))
      .prepare(),
  };
}

function prepareHolding(db: SqliteConnection["db"]) {
  const claimHolds = and(
    eq(deliveries.id, bound("deliveryId")),
    eq(deliveries.status, "sending"),
    eq(deliveries.claim, bound("claim")),
  );
  return {
    resume: db.update(deliveries).set({ nextAttemptAt: null }).where(claimHolds).prepare(),
    release: db
      .update(deliveries)
      .set({ status: "pending", nextAttemptAt: dueUnlessHeld(sql`${bound("nextAttemptAt")}`) })
      .where(claimHolds)
      .prepare(),
  };
}

function prepareReclaiming(db: SqliteConnection["db"]) {
  return {
    tasks: db
      .update(tasks)
      .set({ status: "pending" })
      .where(and(taskIsOpen, eq(tasks.status, sql.raw("'running'")), eq(tasks.doneBy, sql.raw("'handler'"))))
      .prepare(),
    deliveries: db
      .update(deliveries)
      .set({
        status: "pending",
        nextAttemptAt: dueUnlessHeld(sql`coalesce(${deliveries.nextAttemptAt}, ${bound("now")})`),
      })
      .where(deliveryIsSending)
      .prepare(),
  };
}
