import { and, asc, eq, gt, lte, min, sql } from "drizzle-orm";
import { secretsAt } from "../../domain/signing-secrets.ts";
import type {
  ClaimDeliveries,
  ClaimedDelivery,
  DeliveryClaim,
  RecordAttempt,
  RecordAttemptResult,
  Store,
} from "../../service/ports.ts";
import type { SecretCipher } from "../secret-cipher.ts";
import { prepareRecording } from "./attempts.ts";
import type { SqliteConnection } from "./connection.ts";
import { toEvent } from "./rows.ts";
import { callbacks, deliveries, deliveryIsPending, deliveryIsSending, events, taskIsOpen, tasks } from "./schema.ts";
import { readableSecrets } from "./secrets.ts";

type DeliveryVerbs = Pick<
  Store,
  "claimDueDeliveries" | "resumeClaim" | "recordAttempt" | "releaseClaim" | "nextDueAt" | "reclaim"
>;

const bound = sql.placeholder;

export function deliveryVerbs({ db, write }: SqliteConnection, cipher: SecretCipher): DeliveryVerbs {
  const claiming = prepareClaiming(db);
  const holding = prepareHolding(db);
  const reclaiming = prepareReclaiming(db);
  const record = prepareRecording(db);

  /**
   * Takes due deliveries in order of their time, passing over origins that have all the requests they may have. Each round either
   * fills the limit or finds another full origin, so it ends.
   */
  function claimDue({ now, limit, perOrigin, inFlight }: ClaimDeliveries): ClaimedDelivery[] {
    const room = new Map([...inFlight].map(([origin, requests]) => [origin, perOrigin - requests]));
    const roomOf = (origin: string): number => room.get(origin) ?? perOrigin;
    const claimed: ClaimedDelivery[] = [];
    for (let foundFullOrigin = true; foundFullOrigin && claimed.length < limit;) {
      foundFullOrigin = false;
      const full = JSON.stringify([...room.keys()].filter((origin) => roomOf(origin) <= 0));
      for (const { id, origin } of claiming.due.all({ now, full, limit: limit - claimed.length })) {
        if (roomOf(origin) > 0) {
          room.set(origin, roomOf(origin) - 1);
          claimed.push(claimOne(id, now));
        } else foundFullOrigin = true;
      }
    }
    return claimed;
  }

  function claimOne(id: string, now: number): ClaimedDelivery {
    claiming.claim.run({ id });
    const row = claiming.load.get({ id });
    if (row === undefined) throw new Error(`Delivery ${id} lost its event or callback.`);
    const { delivery, event, callback } = row;
    const { signingSecret: _, olderSecrets: __, ...target } = callback;
    const secrets = readableSecrets(callback, cipher);
    const signingSecrets = secrets === null ? [] : secretsAt(secrets, now);
    return { ...delivery, event: toEvent(event), callback: { ...target, signingSecrets } };
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
    async nextDueAt(now) {
      return holding.nextDue.get({ now })?.at ?? null;
    },
    async reclaim(now) {
      return write(() => ({
        tasks: reclaiming.tasks.run().changes,
        deliveries: reclaiming.deliveries.run({ now }).changes,
      }));
    },
  };
}

function prepareClaiming(db: SqliteConnection["db"]) {
  return {
    due: db
      .select({ id: deliveries.id, origin: deliveries.origin })
      .from(deliveries)
      .where(
        and(
          deliveryIsPending,
          lte(deliveries.nextAttemptAt, bound("now")),
          sql`${deliveries.origin} not in (select value from json_each(${bound("full")}))`,
        ),
      )
      .orderBy(asc(deliveries.nextAttemptAt))
      .limit(bound("limit"))
      .prepare(),
    claim: db
      .update(deliveries)
      .set({ status: "sending", claim: sql`${deliveries.claim} + 1`, nextAttemptAt: null })
      .where(eq(deliveries.id, bound("id")))
      .prepare(),
    load: db
      .select({
        delivery: {
          deliveryId: deliveries.id,
          claim: deliveries.claim,
          attemptCount: deliveries.attemptCount,
          origin: deliveries.origin,
        },
        event: { id: events.id, type: events.type, occurredAt: events.occurredAt, data: events.data },
        callback: {
          id: callbacks.id,
          clientId: callbacks.clientId,
          url: callbacks.url,
          signingSecret: callbacks.signingSecret,
          olderSecrets: callbacks.olderSecrets,
        },
      })
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
      .where(eq(deliveries.id, bound("id")))
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
      .set({ status: "pending", nextAttemptAt: sql`${bound("nextAttemptAt")}` })
      .where(claimHolds)
      .prepare(),
    nextDue: db
      .select({ at: min(deliveries.nextAttemptAt) })
      .from(deliveries)
      .where(and(deliveryIsPending, gt(deliveries.nextAttemptAt, bound("now"))))
      .prepare(),
  };
}

function prepareReclaiming(db: SqliteConnection["db"]) {
  return {
    tasks: db
      .update(tasks)
      .set({ status: "pending" })
      .where(and(taskIsOpen, eq(tasks.status, sql.raw("'running'"))))
      .prepare(),
    deliveries: db
      .update(deliveries)
      .set({ status: "pending", nextAttemptAt: sql`coalesce(${deliveries.nextAttemptAt}, ${bound("now")})` })
      .where(deliveryIsSending)
      .prepare(),
  };
}
