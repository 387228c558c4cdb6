import { parseCallbackUrl } from "../domain/callback.ts";
import { cursorOf, timeAndIdOf } from "../domain/cursor.ts";
import { DomainError } from "../domain/errors.ts";
import type { EventName } from "../domain/event.ts";
import type { EventCursors } from "../domain/event-cursor.ts";
import { EventsError, invalidParam } from "../domain/events-error.ts";
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
/** A replaced secret signs beside the new one, so that a receiver that has not stored the new one yet still verifies. */
const SECRET_OVERLAP_MS = 24 * 3_600_000;
/** Events replayed into one new subscription: the newest. */
const REPLAY_MAX = 1000;
/** The newest so many of each subscription are shown. */
export const DELIVERIES_LISTED = 20;
/** A subscription's JSON in an answer, without its URL. */
const SUBSCRIPTION_BYTES = 700;

export interface SubscriptionsNeeds {
  readonly store: SubscriptionStore & EventStore;
  readonly breaker: OriginBreaker;
  readonly clock: Pick<Clock, "now">;
  readonly targetPolicy: TargetPolicy;
  readonly verification: Verification;
  readonly lifetime: LifetimePolicy;
  readonly ownMax: number;
  /** http:// URLs of this very machine are taken: what receivers on trial have. */
  readonly allowsLoopbackHttp: boolean;
  /** By which subscriptions' deliveries are sent again. */
  readonly retryPolicy: RetryPolicy;
  readonly emit: Emit;
}

export interface SubscribeRequest {
  readonly name: EventName;
  readonly taskId: string | null;
  readonly url: string;
  readonly secret: string;
  readonly cursor: string | null;
  readonly maxAgeMs: number | null;
  /** Null: no end is asked for; undefined: no wish. */
  readonly ttlMs: number | null | undefined;
}

export interface Subscribed {
  readonly id: string;
  /** Epoch ms; null: no end. */
  readonly refreshBefore: number | null;
  readonly cursor: string;
  readonly truncated: boolean;
  /** Of a refresh: what it was before. */
  readonly health: SubscriptionHealth | null;
  /** Of a refresh: for how long deliveries are held back for the receiver's sake; null: they are not, or it is suspended. */
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

export type Subscriptions = ReturnType<typeof createSubscriptions>;

/** Webhook subscriptions of MCP Events (SEP-3415): create and refresh are one call, and everything is named by what it is about. */
export function createSubscriptions(needs: SubscriptionsNeeds) {
  const { store, breaker, clock, verification, lifetime, ownMax, emit } = needs;
  const cursorsOf = cursorsOfStore(store);

  async function requireRoom(look: SubscriptionLook) {
    const found = await store.lookUpSubscription(look);
    if (!found.exists && found.own >= ownMax) throw tooMany(ownMax);
    if (!found.exists && found.all >= SUBSCRIPTIONS_MAX) throw tooMany(SUBSCRIPTIONS_MAX);
    return found;
  }

  /** As the receiver has asked, or while its origin is in the slow lane. */
  function throttledFor(origin: string, waiting: readonly WaitingDelivery[], now: number): number | null {
    const times = [throttledUntil(waiting, needs.retryPolicy), breaker.openCircuit(origin)?.probeAt ?? null];
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.max(0, ...known.map((time) => time - now));
  }

  return {
    /** Nothing is stored, and nothing is sent to the URL, before everything about the request has been judged. */
    async subscribe(principal: string, request: SubscribeRequest): Promise<Subscribed> {
      const { name, taskId, url, cursor, maxAgeMs, ttlMs } = request;
      const target = requireUrl(url, needs.allowsLoopbackHttp);
      const secret = requireClientSecret(request.secret);
      const key: SubscriptionKey = { principal, url, name, taskId };
      const look = { key, id: idOfSubscription(key), now: clock.now() };
      const cursors = await cursorsOf();
      const replay = replayOf(cursor, maxAgeMs, look.now, cursors);
      const { isUrlVerified } = await requireRoom(look);
      const challenge = isUrlVerified ? null : verification.requireRoom(principal, url);
      if (!(await needs.targetPolicy.check(target)).allowed) throw invalidParam("delivery.url", "address_not_allowed");
      if (challenge !== null) await verification.verify({ principal, url, secret, subscriptionId: look.id }, challenge);
      const now = clock.now();
      const expiresAt = grantedUntil(ttlMs, lifetime, now);
      const terms = { secret, overlapMs: SECRET_OVERLAP_MS, expiresAt, replay, ownMax };
      const result = await store.putSubscription({ ...look, ...terms, now });
      if (result.kind === "limit") throw tooMany(ownMax);
      const isNew = result.kind === "created";
      const dueNow = isNew ? result.replayed : result.resumed;
      const told = { subscriptionId: look.id, name, taskId, expiresAt, dueNow };
      emit({ kind: isNew ? "subscription.created" : "subscription.refreshed", ...told });
      return {
        id: look.id,
        refreshBefore: expiresAt,
        cursor: cursors.of(result.watermark),
        // A cursor of another log is a place that cannot be found here: delivery starts now, later than was asked for.
        truncated: isNew && (result.truncated || (cursor !== null && replay === null)),
        health: isNew ? null : result.health,
        throttledForMs: isNew || !result.health.isActive ? null : throttledFor(target.origin, result.waiting, now),
      };
    },

    /** Nothing is sent after it, waiting retries included. False: there was none. */
    async unsubscribe(principal: string, of: { name: string; taskId: string | null; url: string }): Promise<boolean> {
      // Not judged: whoever wants to clean up must be able to, whatever has become of the name.
      const id = idOfSubscription({ principal, url: of.url, name: of.name as EventName, taskId: of.taskId });
      const removed = await store.removeSubscription({ principal, id, now: clock.now() });
      if (removed) emit({ kind: "subscription.ended", subscriptionId: id, why: "unsubscribed" });
      return removed;
    },

    /** A page of a principal's subscriptions with their newest deliveries. Throws `invalid` for a cursor that is none of ours. */
    async list(
      principal: string,
      { cursor, limit }: { cursor?: string | undefined; limit: number },
    ): Promise<ListedPage> {
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
          openCircuit: openCircuitOf(breaker, subscription),
        })),
        nextCursor: page.last === null ? null : cursorOf([page.last.createdAt, page.last.callbackId]),
      };
    },
  };
}

function placeOf({ createdAt, callbackId }: ListedSubscription) {
  return { registeredAt: createdAt, id: callbackId };
}

/** https, or http to a literal address of this machine where that is allowed. */
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

/** Null: from now on. */
function replayOf(cursor: string | null, maxAgeMs: number | null, now: number, cursors: EventCursors): Replay | null {
  const afterSeq = cursor === null ? null : cursors.seqOf(cursor);
  if (afterSeq === null) return null;
  return { afterSeq, notBefore: maxAgeMs === null ? 0 : now - maxAgeMs, max: REPLAY_MAX };
}

function tooMany(max: number): EventsError {
  return new EventsError("ResourceExhausted", { limit: "subscriptions", max });
}
