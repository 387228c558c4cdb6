import type { AttemptError } from "./attempt.ts";
import type { DisablePolicy } from "./callback-health.ts";
import type { EventName } from "./event.ts";
import type { EndpointFault } from "./events-error.ts";
import { subscriptionIdOf } from "./ids.ts";
import { canonicalJson } from "./json.ts";

/** What names a subscription of MCP Events: a difference in any of them is another subscription. */
export interface SubscriptionKey {
  readonly principal: string;
  /** Byte for byte as the client gave it. */
  readonly url: string;
  readonly name: EventName;
  /** Null: any task of the principal. */
  readonly taskId: string | null;
}

/** How long subscriptions live, in milliseconds. */
export interface LifetimePolicy {
  readonly defaultMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Whether one that asks for no end gets it. */
  readonly allowsNone: boolean;
}

/** When a subscription is suspended until its next refresh: it has fewer attempts for each event, and its client comes back soon. */
export const SUSPEND_POLICY: DisablePolicy = { forMs: 3_600_000, failuresMin: 20 };

/** What a subscription's deliveries have come to, as its owner may know. */
export interface SubscriptionHealth {
  readonly isActive: boolean;
  readonly lastDeliveryAt: number | null;
  readonly lastError: AttemptError | null;
  readonly failingSince: number | null;
}

/** SEP-3415 leaves the recipe open; this is the one other servers use. */
export function idOfSubscription({ principal, url, name, taskId }: SubscriptionKey): string {
  const given = taskId === null ? {} : { task_id: taskId };
  return subscriptionIdOf(canonicalJson({ arguments: given, name, principal, url }));
}

/**
 * When a subscription ends unless it is refreshed (epoch ms); null: never. `asked`: a suggestion in milliseconds, which is clamped and
 * never refused; null asks for no end; undefined is no suggestion.
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
