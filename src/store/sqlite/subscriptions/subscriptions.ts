import type { InferSelectModel } from "drizzle-orm";
import { removed } from "../../../domain/callback-state.ts";
import { selectionOf } from "../../../domain/callback.ts";
import { typesOf } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { rotate } from "../../../domain/signing-secrets.ts";
import type { WaitingDelivery } from "../../../domain/throttle.ts";
import type { SubscriptionHealth } from "../../../domain/subscription.ts";
import type { Store } from "../../../service/ports/store.ts";
import type {
  EndedSubscription,
  PutSubscription,
  PutSubscriptionResult,
  Replay,
} from "../../../service/ports/subscription-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareCallbackStates, prepareEnable } from "../callbacks/state.ts";
import { prepareDeliveryInsert } from "../deliveries/insert.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareEventReading } from "../events/event-log.ts";
import { prepareWithdraw } from "../deliveries/outbox.ts";
import { prepareDeliveryStates } from "../deliveries/state.ts";
import type { callbacks } from "../schema/tables.ts";
import { prepareSecretChange, readableSecrets } from "../callbacks/secrets.ts";
import { isLive, prepareSubscriptions } from "./statements.ts";
import { prepareWatermark } from "./watermark.ts";

type Row = InferSelectModel<typeof callbacks>;

/** Waiting deliveries that a refresh looks at. */
const WAITING_MAX = 100;
type SubscriptionVerbs = Pick<
  Store,
  "lookUpSubscription" | "recordVerified" | "putSubscription" | "removeSubscription" | "revokeSubscriptions"
>;

export function subscriptionVerbs(connection: SqliteConnection, newId: NewId, cipher: SecretCipher): SubscriptionVerbs {
  const { db, write } = connection;
  const statements = prepareSubscriptions(db);
  const withdraw = prepareWithdraw(db);
  const enable = prepareEnable(db);
  const states = prepareCallbackStates(db);
  const changeSecret = prepareSecretChange(db, cipher);
  const watermarkOf = prepareWatermark(db);
  const replayInto = prepareReplay(connection, newId);

  function put(command: PutSubscription): PutSubscriptionResult {
    const { id, key, now, ownMax } = command;
    const row = statements.find.get({ id });
    if (row !== undefined && isLive(row, now)) return refresh(row, command);
    const { own } = statements.countOwn.get({ principal: key.principal, now }) ?? { own: 0 };
    if (own >= ownMax) return { kind: "limit" };
    const created = row === undefined ? insert(command) : activate(row, command);
    const replayed = command.replay === null ? NOTHING : replayInto(created, command, command.replay);
    return { kind: "created", watermark: watermarkOf.now(created.id), ...replayed };
  }

  function refresh(row: Row, { secret, overlapMs, expiresAt, now }: PutSubscription): PutSubscriptionResult {
    const waiting = waitingOf(row.id, now);
    const before = readableSecrets(row, cipher) ?? { current: secret, older: [] };
    changeSecret(row.id, rotate(before, secret, now, overlapMs));
    statements.extend.run({ callbackId: row.id, expiresAt });
    statements.extendDeliveries.run({ callbackId: row.id, expiresAt });
    const resumed = enable(row.id, row, now) ?? 0;
    return { kind: "refreshed", watermark: watermarkOf.now(row.id), health: healthOf(row), waiting, resumed };
  }

  function waitingOf(callbackId: string, now: number): WaitingDelivery[] {
    return statements.waiting.all({ callbackId, now, limit: WAITING_MAX }).flatMap((row) => {
      const { nextAttemptAt, ...lastAttempt } = row;
      return nextAttemptAt === null ? [] : [{ nextAttemptAt, lastAttempt }];
    });
  }

  function insert(command: PutSubscription): Row {
    const { id, key, secret, expiresAt, now } = command;
    const { principal, url, name, taskId } = key;
    const callbackId = newId("cb");
    return statements.insert.get({
      callbackId,
      id,
      principal,
      url,
      name,
      taskId,
      origin: new URL(url).origin,
      events: selectionOf(typesOf(name)),
      signingSecret: cipher.seal(callbackId, secret),
      expiresAt,
      now,
    });
  }

  /** The row of one that has ended: its history stays with it, everything else is new. */
  function activate(row: Row, { secret, expiresAt, now }: PutSubscription): Row {
    // What expired with it and was not swept up yet.
    withdraw(row.id, now, "expired");
    const signingSecret = cipher.seal(row.id, secret);
    const again = statements.activate.get({ callbackId: row.id, signingSecret, expiresAt, now });
    if (again === undefined) throw new Error(`Subscription ${row.id} is gone.`);
    return again;
  }

  function end(row: Row, now: number): void {
    states.write(row.id, row, removed(row));
    withdraw(row.id, now, null);
  }

  /** The subscriptions of the first principal that is not one of these. */
  function strangersOf(principals: readonly string[], limit: number): Row[] {
    let principal = statements.nextPrincipal.get({ after: "" })?.principal ?? null;
    while (principal !== null && principals.includes(principal)) {
      principal = statements.nextPrincipal.get({ after: principal })?.principal ?? null;
    }
    return principal === null ? [] : statements.allOf.all({ principal, limit });
  }

  return {
    async lookUpSubscription({ key, id, now }) {
      const { principal, url } = key;
      return db.transaction(() => {
        const row = statements.find.get({ id });
        const exists = row !== undefined && isLive(row, now);
        return {
          exists,
          isUrlVerified: statements.verified.get({ principal, url, now }) !== undefined,
          own: statements.countOwn.get({ principal, now })?.own ?? 0,
          // Only a create may be one too many, and this count is the dearest.
          all: exists ? 0 : (statements.countAll.get({ now })?.all ?? 0),
        };
      });
    },
    async recordVerified(verified) {
      await write(() => statements.recordVerified.run({ ...verified }));
    },
    putSubscription(command) {
      return write(() => put(command));
    },
    removeSubscription({ principal, id, now }) {
      return write(() => {
        const row = statements.find.get({ id });
        if (row === undefined || row.principal !== principal || !isLive(row, now)) return false;
        end(row, now);
        return true;
      });
    },
    revokeSubscriptions({ principals, limit, now }) {
      return write(() =>
        strangersOf(principals, limit).map((row) => {
          end(row, now);
          return endedOf(row, cipher, now);
        }),
      );
    },
  };
}

const NOTHING = { truncated: false, replayed: 0 };

/** Owes a new subscription the events behind a place; one that it had been owed before is due again. */
function prepareReplay({ db }: SqliteConnection, newId: NewId) {
  const statements = prepareSubscriptions(db);
  const read = prepareEventReading(db);
  const insertDelivery = prepareDeliveryInsert(db, newId);
  const states = prepareDeliveryStates(db);
  const watermarkOf = prepareWatermark(db);

  return (row: Row, { key, now }: PutSubscription, { afterSeq, notBefore, max }: Replay) => {
    const { principal, name, taskId } = key;
    const page = read({ principal, afterSeq, types: typesOf(name), taskId, notBefore, limit: max, newest: max });
    for (const { seq, event } of page.events) {
      const cursor = watermarkOf.once(row.id, seq);
      const owed = statements.owed.get({ callbackId: row.id, eventId: event.id });
      if (owed === undefined) insertDelivery(event.id, row, now, { place: { seq, cursor } });
      else {
        statements.place.run({ deliveryId: owed.id, cursor });
        states.reopen(owed.id, now);
      }
    }
    return { truncated: page.hasLost, replayed: page.events.length };
  };
}

/** As it is to be told that it has ended. */
export function endedOf(row: Row, cipher: SecretCipher, now: number): EndedSubscription {
  const { current = null, older = [] } = readableSecrets(row, cipher) ?? {};
  const signing = [current ?? [], ...older.filter(({ until }) => until > now).map(({ secret }) => secret)].flat();
  const { principal, url, lastError } = row;
  return { id: row.subscriptionId ?? "", principal, url, signingSecrets: signing, lastError };
}

export function healthOf(
  row: Pick<Row, "status" | "lastDeliveryAt" | "lastError" | "failingSince">,
): SubscriptionHealth {
  const { lastDeliveryAt, lastError, failingSince } = row;
  return { isActive: row.status === "active", lastDeliveryAt, lastError, failingSince };
}
