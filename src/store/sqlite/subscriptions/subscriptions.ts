import { removed } from "../../../domain/callback-state.ts";
import { selectionOf } from "../../../domain/callback.ts";
import { typesOf } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { rotate } from "../../../domain/signing-secrets.ts";
import { isLive, subscriptionPut } from "../../../domain/subscription.ts";
import type { WaitingDelivery } from "../../../domain/throttle.ts";
import type {
  PutSubscription,
  PutSubscriptionResult,
  SubscriptionStore,
} from "../../../service/ports/subscription-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareSecretChange } from "../callbacks/secrets.ts";
import { prepareCallbackStates, prepareEnable } from "../callbacks/state.ts";
import { prepareWithdraw } from "../deliveries/outbox.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareReplay } from "./replay.ts";
import type { Replayed } from "./replay.ts";
import { endedOf, healthOf, secretsOf } from "./rows.ts";
import type { SubscriptionRow } from "./rows.ts";
import { prepareSubscriptions } from "./statements.ts";
import { prepareWatermark } from "./watermark.ts";

/** A refresh reads so many waiting deliveries. */
const WAITING_MAX = 100;
type SubscriptionVerbs = Pick<
  SubscriptionStore,
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
    const { id, key, now, perPrincipalMax } = command;
    const row = statements.find.get({ id });
    const own = statements.countOwn.get({ principal: key.principal, now })?.own ?? 0;
    const outcome = subscriptionPut(row ?? null, { own, perPrincipalMax }, now);
    if (outcome === "limit") return { kind: "limit" };
    if (row === undefined) return begin(insert(command), command);
    return outcome === "refresh" ? refresh(row, command) : begin(recreate(row, command), command);
  }

  function begin(created: SubscriptionRow, command: PutSubscription): PutSubscriptionResult {
    const replayed = command.replay === null ? NOTHING : replayInto(created, command, command.replay);
    return { kind: "created", watermark: watermarkOf.now(created.callbackId), ...replayed };
  }

  function refresh(
    row: SubscriptionRow,
    { secret, overlapMs, expiresAt, now }: PutSubscription,
  ): PutSubscriptionResult {
    const { callbackId } = row;
    const waiting = waitingOf(callbackId, now);
    const before = secretsOf(row, cipher) ?? { current: secret, older: [] };
    changeSecret(callbackId, rotate(before, secret, now, overlapMs));
    statements.extend.run({ callbackId, expiresAt });
    statements.extendDeliveries.run({ callbackId, expiresAt });
    const resumed = enable(callbackId, row, now) ?? 0;
    return { kind: "refreshed", watermark: watermarkOf.now(callbackId), health: healthOf(row), waiting, resumed };
  }

  function waitingOf(callbackId: string, now: number): WaitingDelivery[] {
    return statements.waiting.all({ callbackId, now, limit: WAITING_MAX }).flatMap((row) => {
      const { nextAttemptAt, ...lastAttempt } = row;
      return nextAttemptAt === null ? [] : [{ nextAttemptAt, lastAttempt }];
    });
  }

  function insert(command: PutSubscription): SubscriptionRow {
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
      signingSecret: cipher.encrypt(callbackId, secret),
      expiresAt,
      now,
    });
  }

  /** Keeps the row of a subscription that has ended, and with it the history; everything else is new. */
  function recreate({ id, callbackId }: SubscriptionRow, { secret, expiresAt, now }: PutSubscription): SubscriptionRow {
    // Its deliveries that expired with it and are still open, by the rule `expired`.
    withdraw(callbackId, now, "expired");
    const again = statements.recreate.get({
      callbackId,
      signingSecret: cipher.encrypt(callbackId, secret),
      expiresAt,
      now,
    });
    if (again === undefined) throw new Error(`Subscription ${id} is gone.`);
    return again;
  }

  function end(row: SubscriptionRow, now: number): void {
    states.write(row.callbackId, row, removed(row));
    withdraw(row.callbackId, now, null);
  }

  /** The subscriptions of the first principal that is not among these. */
  function firstBesides(principals: readonly string[], limit: number): SubscriptionRow[] {
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
          // Only a new one can exceed the limit, and this count takes the longest.
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
        firstBesides(principals, limit).map((row) => {
          end(row, now);
          return endedOf(row, cipher, now);
        }),
      );
    },
  };
}

const NOTHING: Replayed = { truncated: false, replayed: 0 };
