import type { AttemptError } from "./attempt.ts";
import type { DisablePolicy } from "./callback-health.ts";
import type { CallbackStatus } from "./callback.ts";
import type { EventName } from "./event.ts";
import type { EndpointFault } from "./events-error.ts";
import { subscriptionIdOf } from "./ids.ts";
import { canonicalJson } from "./json.ts";
import { isExpired } from "./not-after.ts";

/** The key of a subscription of MCP Events: any difference makes another subscription. */
export interface SubscriptionKey {
  readonly principal: string;
  /** Byte for byte as the client gave it. */
  readonly url: string;
  readonly name: EventName;
  /** Null: any task of the principal. */
  readonly taskId: string | null;
}

/** Lifetimes of subscriptions in milliseconds. */
export interface LifetimePolicy {
  readonly defaultMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Whether a subscription may have no end. */
  readonly allowsNone: boolean;
}

/** When a subscription is suspended until its next refresh. It has fewer attempts for each event, and its client refreshes it soon. */
export const SUSPEND_POLICY: DisablePolicy = { forMs: 3_600_000, failuresMin: 20 };

/** How the deliveries of a subscription have gone, as its owner sees it. */
export interface SubscriptionHealth {
  readonly isActive: boolean;
  readonly lastDeliveryAt: number | null;
  readonly lastError: AttemptError | null;
  readonly failingSince: number | null;
}

/** SEP-3415 leaves the derivation open; this is the one that other servers use. */
export function idOfSubscription({ principal, url, name, taskId }: SubscriptionKey): string {
  const given = taskId === null ? {} : { task_id: taskId };
  return subscriptionIdOf(canonicalJson({ arguments: given, name, principal, url }));
}

/**
 * When a subscription ends unless it is refreshed (epoch ms); null: never. `asked`: a lifetime in milliseconds, which is limited and never
 * refused; null asks for no end; undefined asks for the default.
 */
export function grantedUntil(asked: number | null | undefined, policy: LifetimePolicy, now: number): number | null {
  if (asked === null) return policy.allowsNone ? null : now + policy.maxMs;
  const wantedMs = asked ?? policy.defaultMs;
  return now + Math.floor(Math.min(Math.max(wantedMs, policy.minMs), policy.maxMs));
}

/** An attempt's error in the six words of MCP Events. */
export function endpointFaultOf(error: AttemptError): EndpointFault {
  switch (error) {
    case "timeout":
    case "tls_error":
    case "http_4xx":
    case "http_5xx":
      return error;
    case "http_3xx":
      return "http_4xx";
    case "connection_refused":
    case "connection_reset":
    case "dns_error":
    case "blocked":
      return "connection_refused";
  }
}

/** What decides whether a subscription is live. `expiresAt`: epoch ms; null: no end. */
export interface SubscriptionState {
  readonly status: CallbackStatus;
  readonly expiresAt: number | null;
}

/** One whose time is over is treated as absent, whether or not maintenance has removed it. */
export function isLive({ status, expiresAt }: SubscriptionState, now: number): boolean {
  return status !== "removed" && !isExpired(expiresAt, now);
}

/** suspended: its receiver has failed, and its next refresh resumes it. expired: its time was over. ended: by its client or by this server. */
export type SubscriptionStatus = "active" | "suspended" | "expired" | "ended";

export function subscriptionStatus(subscription: SubscriptionState, now: number): SubscriptionStatus {
  if (subscription.status === "removed") return "ended";
  if (!isLive(subscription, now)) return "expired";
  return subscription.status === "active" ? "active" : "suspended";
}

/** refresh: it is live. create: there was none. recreate: the row of one that has ended begins anew. limit: the principal has as many as it may. */
export type SubscriptionPut = "refresh" | "create" | "recreate" | "limit";

/** `existing`: the subscription with this id; null: there is none. `own`: the live subscriptions of the principal. */
export function subscriptionPut(
  existing: SubscriptionState | null,
  { own, perPrincipalMax }: { readonly own: number; readonly perPrincipalMax: number },
  now: number,
): SubscriptionPut {
  if (existing !== null && isLive(existing, now)) return "refresh";
  if (own >= perPrincipalMax) return "limit";
  return existing === null ? "create" : "recreate";
}

export interface SubscriptionRetentionFacts extends SubscriptionState {
  readonly createdAt: number;
  readonly disabledAt: number | null;
}

/**
 * What retention does with a subscription. end: it has no end of its own, and its receiver has failed since before `before`. remove: it
 * has ended, is older than `before`, and no delivery of it is kept. The row does not say when a client ended it, so `createdAt` counts.
 */
export function subscriptionRetention(
  { status, expiresAt, createdAt, disabledAt }: SubscriptionRetentionFacts,
  hasDeliveries: boolean,
  before: number,
): "keep" | "end" | "remove" {
  if (status === "disabled" && expiresAt === null && disabledAt !== null && disabledAt < before) return "end";
  const hasEnded = status === "removed" || (expiresAt !== null && expiresAt < before);
  return hasEnded && createdAt < before && !hasDeliveries ? "remove" : "keep";
}
