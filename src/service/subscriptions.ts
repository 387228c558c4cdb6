import { parseCallbackUrl } from "../domain/callback.ts";
import { cursorOf, timeAndIdOf } from "../domain/cursor.ts";
import { DomainError } from "../domain/errors.ts";
import type { EventName } from "../domain/event.ts";
import type { EventCursors } from "../domain/event-cursor.ts";
import { EventsError, invalidParam } from "../domain/events-error.ts";
import { limitKeyOf } from "../domain/limit-key.ts";
import type { LimitKey } from "../domain/limit-key.ts";
import { requireSecret } from "../domain/signature.ts";
import { grantedUntil, idOfSubscription } from "../domain/subscription.ts";
import type { LifetimePolicy, SubscriptionHealth, SubscriptionKey } from "../domain/subscription.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import { throttledUntil } from "../domain/throttle.ts";
import type { WaitingDelivery } from "../domain/throttle.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { OriginBreaker, OpenCircuit } from "./ports/origin-breaker.ts";
import { cursorsOfStore } from "./events.ts";
import type { Clock } from "./ports/clock.ts";
import type { EventStore } from "./ports/event-store.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";
import { bytesOfDeliveries, readPage } from "./pages.ts";
import { openCircuitOf } from "./open-circuit.ts";
import type { ListedSubscription, Replay, SubscriptionLook, SubscriptionStore } from "./ports/subscription-store.ts";
import type { Verification } from "./verification.ts";

/** Of all principals together. */
const SUBSCRIPTIONS_MAX = 100_000;
/** A replaced secret signs beside the new one, so that a receiver can verify before it has stored the new one. */
const SECRET_OVERLAP_MS = 24 * 3_600_000;
/** Events replayed into one new subscription: the newest. */
const REPLAY_MAX = 1000;
/** Deliveries that are listed of each subscription, the newest. */
export const DELIVERIES_LISTED = 20;
/** The JSON of a subscription in an answer, without its URL. */
const SUBSCRIPTION_BYTES = 700;

export interface SubscriptionsParts {
  readonly store: SubscriptionStore & EventStore;
  readonly breaker: OriginBreaker;
  readonly clock: Clock;
  readonly targetPolicy: TargetPolicy;
  readonly verification: Verification;
  readonly settings: SubscriptionSettings;
  readonly emit: Emit;
}

export interface SubscriptionSettings {
  readonly lifetime: LifetimePolicy;
  /** Subscriptions of one principal. */
  readonly perPrincipalMax: number;
  /** Whether http:// URLs of this machine are accepted, as receivers in development have. */
  readonly allowsLoopbackHttp: boolean;
  /** Of the deliveries to subscriptions. */
  readonly retryPolicy: RetryPolicy;
}

/** Webhook subscriptions of MCP Events (SEP-3415). One call creates or refreshes; a subscription is identified by principal, URL, event and task. */
export interface Subscriptions {
  /** Nothing is stored, and no request is sent to the URL, before the whole request has been checked. */
  subscribe(principal: string, request: SubscribeRequest): Promise<Subscribed>;
  /** No request to the URL starts once this resolves, retries included. False: there was no such subscription. */
  unsubscribe(principal: string, of: UnsubscribeRequest): Promise<boolean>;
  /** A page of the principal's subscriptions with their newest deliveries. Throws `invalid` for a cursor that this server has not issued. */
  list(principal: string, page: { cursor?: string | undefined; limit: number }): Promise<ListedPage>;
}

export interface SubscribeRequest {
  readonly name: EventName;
  readonly taskId: string | null;
  readonly url: string;
  readonly secret: string;
  readonly cursor: string | null;
  readonly maxAgeMs: number | null;
  /** Null: the client asks for a subscription without an end. Undefined: it leaves the lifetime to the server. */
  readonly ttlMs: number | null | undefined;
}

export interface UnsubscribeRequest {
  readonly name: string;
  readonly taskId: string | null;
  readonly url: string;
}

export interface Subscribed {
  readonly id: string;
  /** Epoch ms; null: it does not expire. */
  readonly refreshBefore: number | null;
  readonly cursor: string;
  readonly truncated: boolean;
  /** Of a refresh: the health before it; null: the subscription is new. */
  readonly health: SubscriptionHealth | null;
  /** Of a refresh: how long deliveries wait because the receiver asked for it or its circuit is open; null: they do not, or it is suspended. */
  readonly throttledForMs: number | null;
}

export interface ListedEntry {
  readonly subscription: ListedSubscription;
  readonly openCircuit: OpenCircuit | null;
}

export interface ListedPage {
  readonly entries: readonly ListedEntry[];
  /** Null: there is nothing more. */
  readonly nextCursor: string | null;
}

export function createSubscriptions(parts: SubscriptionsParts): Subscriptions {
  const { store, breaker, clock, verification, settings, emit } = parts;
  const { lifetime, perPrincipalMax } = settings;
  const cursorsOf = cursorsOfStore(store);

  async function requireBelowLimit(look: SubscriptionLook) {
    const found = await store.lookUpSubscription(look);
    if (!found.exists && found.own >= perPrincipalMax) throw tooMany(perPrincipalMax);
    if (!found.exists && found.all >= SUBSCRIPTIONS_MAX) throw tooMany(SUBSCRIPTIONS_MAX);
    return found;
  }

  /** The longer of two waits: the one that the receiver has asked for, and the one of its open circuit. */
  function throttledFor(key: LimitKey, waiting: readonly WaitingDelivery[], now: number): number | null {
    const times = [throttledUntil(waiting, settings.retryPolicy), breaker.openCircuit(key)?.probeAt ?? null];
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.max(0, ...known.map((time) => time - now));
  }

  return {
    async subscribe(principal, request) {
      const { name, taskId, url, cursor, maxAgeMs, ttlMs } = request;
      const target = requireUrl(url, settings.allowsLoopbackHttp);
      const secret = requireClientSecret(request.secret);
      const key: SubscriptionKey = { principal, url, name, taskId };
      const look = { key, id: idOfSubscription(key), now: clock.now() };
      const cursors = await cursorsOf();
      const replay = replayOf(cursor, maxAgeMs, look.now, cursors);
      const { isUrlVerified } = await requireBelowLimit(look);
      const challenge = isUrlVerified ? null : verification.countChallenge(principal, url);
      if (!(await parts.targetPolicy.check(target)).allowed) throw invalidParam("delivery.url", "address_not_allowed");
      if (challenge !== null) await verification.verify({ principal, url, secret, subscriptionId: look.id }, challenge);
      const now = clock.now();
      const expiresAt = grantedUntil(ttlMs, lifetime, now);
      const terms = { secret, overlapMs: SECRET_OVERLAP_MS, expiresAt, replay, perPrincipalMax };
      const result = await store.putSubscription({ ...look, ...terms, now });
      if (result.kind === "limit") throw tooMany(perPrincipalMax);
      const isNew = result.kind === "created";
      const dueNow = isNew ? result.replayed : result.resumed;
      const kind = isNew ? "subscription.created" : "subscription.refreshed";
      emit({ kind, principal, subscriptionId: look.id, name, taskId, expiresAt, dueNow });
      return {
        id: look.id,
        refreshBefore: expiresAt,
        cursor: cursors.of(result.watermark),
        // This log does not have the place of another log's cursor: deliveries start with the next event.
        truncated: isNew && (result.truncated || (cursor !== null && replay === null)),
        health: isNew ? null : result.health,
        throttledForMs:
          isNew || !result.health.isActive
            ? null
            : throttledFor(limitKeyOf({ principal, origin: target.origin }), result.waiting, now),
      };
    },

    async unsubscribe(principal, { name, taskId, url }) {
      // The name is not checked: a client can remove its subscription to an event that is not offered any more.
      const id = idOfSubscription({ principal, url, name: name as EventName, taskId });
      const removed = await store.removeSubscription({ principal, id, now: clock.now() });
      if (removed) emit({ kind: "subscription.ended", principal, subscriptionId: id, why: "unsubscribed" });
      return removed;
    },

    async list(principal, { cursor, limit }) {
      const position = cursor === undefined ? null : timeAndIdOf(cursor);
      const start = position === null ? null : { registeredAt: position.time, id: position.id };
      const newest = { deliveries: DELIVERIES_LISTED, now: clock.now() };
      const page = await readPage<ListedSubscription>(limit, {
        read: (last, most) =>
          store.listSubscriptions(principal, { ...newest, after: last === null ? start : placeOf(last), limit: most }),
        bytesOf: ({ url, deliveries }) => SUBSCRIPTION_BYTES + url.length + bytesOfDeliveries(deliveries),
      });
      return {
        entries: page.entries.map((subscription) => ({
          subscription,
          openCircuit: openCircuitOf(breaker, principal, subscription),
        })),
        nextCursor: page.last === null ? null : cursorOf([page.last.createdAt, page.last.callbackId]),
      };
    },
  };
}

function placeOf({ createdAt, callbackId }: ListedSubscription) {
  return { registeredAt: createdAt, id: callbackId };
}

/** https, or http to a loopback address where the settings allow it. */
function requireUrl(text: string, allowsLoopbackHttp: boolean): URL {
  const url = parsedUrl(text);
  const isLoopback = url.hostname === "127.0.0.1" || url.hostname === "[::1]";
  if (url.protocol === "https:" || (allowsLoopbackHttp && isLoopback)) return url;
  throw invalidParam("delivery.url", "https_required");
}

function parsedUrl(text: string): URL {
  try {
    return parseCallbackUrl(text);
  } catch (error) {
    if (error instanceof DomainError) throw invalidParam("delivery.url", "malformed");
    throw error;
  }
}

function requireClientSecret(secret: string): string {
  try {
    return requireSecret(secret);
  } catch (error) {
    if (error instanceof DomainError) throw invalidParam("delivery.secret", "malformed");
    throw error;
  }
}

/** Null: only new events. */
function replayOf(cursor: string | null, maxAgeMs: number | null, now: number, cursors: EventCursors): Replay | null {
  const afterSeq = cursor === null ? null : cursors.seqOf(cursor);
  if (afterSeq === null) return null;
  return { afterSeq, notBefore: maxAgeMs === null ? 0 : now - maxAgeMs, max: REPLAY_MAX };
}

function tooMany(max: number): EventsError {
  return new EventsError("ResourceExhausted", { limit: "subscriptions", max });
}
