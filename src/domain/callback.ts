import type { BodyProfile, CallbackProfile } from "./payload.ts";
import type { CallbackHealth } from "./callback-health.ts";
import { DomainError } from "./errors.ts";
import { EVENT_TYPES } from "./event.ts";
import type { EventName, EventType } from "./event.ts";

/**
 * active: it gets deliveries. disabled: its receiver answered 410 or failed for long; until it is enabled. removed: its owner unregistered
 * it; until it is registered again. Lists show all three.
 */
export type CallbackStatus = "active" | "disabled" | "removed";

export interface Callback {
  readonly id: string;
  readonly principal: string;
  /** The client's task id, which need not exist yet; null: any task of the principal. */
  readonly taskId: string | null;
  readonly clientId: string;
  /** As the client gave it. */
  readonly url: string;
  readonly events: readonly EventType[];
  readonly signingSecret: string;
  readonly status: CallbackStatus;
  readonly registeredAt: number;
  /** From then on no attempt begins (epoch ms); null: the schedule alone decides. */
  readonly notAfter: number | null;
  readonly health: CallbackHealth;
  readonly profile: BodyProfile;
  /** Null: it was made by register_callback. */
  readonly subscription: SubscriptionOf | null;
}

/** The subscription of MCP Events that a callback belongs to. */
export interface SubscriptionOf {
  readonly id: string;
  readonly name: EventName;
}

/** `taskId`, `clientId` and `url` name the callback. The other fields must agree when it is registered again. */
export interface Registration {
  readonly taskId: string;
  readonly clientId: string;
  readonly url: string;
  readonly events: readonly EventType[];
  /** Null: a new callback gets a generated one, and an existing one keeps its own. */
  readonly signingSecret: string | null;
  readonly notAfter: number | null;
  readonly profile: CallbackProfile;
}

export type RegistrationDifference = "events" | "secret" | "not_after" | "body_format";

export const CALLBACK_URL_CHARS_MAX = 2048;
/** RFC 1035, section 2.3.4. */
const HOST_NAME_CHARS_MAX = 253;
export const CALLBACKS_PER_TASK_MAX = 1000;

/** The field of a repeated registration that contradicts the existing callback; null: it is the same registration again. */
export function differenceOf(existing: Callback, again: Registration): RegistrationDifference | null {
  if (again.signingSecret !== null && again.signingSecret !== existing.signingSecret) return "secret";
  if (selectionOf(existing.events) !== selectionOf(again.events)) return "events";
  if (existing.notAfter !== again.notAfter) return "not_after";
  return existing.profile === again.profile ? null : "body_format";
}

/** Parses a callback_url by the rules below; throws `invalid`. The address guard decides whether the server may connect to it. */
export function parseCallbackUrl(text: string): URL {
  return parseTargetUrl("callback_url", text);
}

/** The same rule for a URL that the caller knows as `name`. */
export function parseTargetUrl(name: string, text: string): URL {
  const invalidUrl = (problem: string): DomainError => new DomainError("invalid", `${name} ${problem}.`);
  if (text.length > CALLBACK_URL_CHARS_MAX) {
    throw invalidUrl(`has ${text.length} characters, at most ${CALLBACK_URL_CHARS_MAX} are allowed`);
  }
  // URL.parse accepts blanks, line breaks and backslashes, and other parsers read them differently: they are refused.
  if (/[\s\p{Cc}\\]/u.test(text) || !text.isWellFormed())
    throw invalidUrl("must not contain blanks, control characters or backslashes");
  if (!/^https?:\/\//i.test(text)) throw invalidUrl("must be an absolute http:// or https:// URL");
  const url = URL.parse(text);
  if (url === null) throw invalidUrl("is not a valid URL");
  // Any number of slashes may stand before the user information (URL Standard, "special authority ignore slashes state").
  if (/^https?:\/+[^/?#]*@/i.test(text))
    throw invalidUrl("must not contain user information; authenticate with the signature");
  if (url.port === "0") throw invalidUrl("must not have the port 0, where nothing can listen");
  if (url.hostname.length > HOST_NAME_CHARS_MAX)
    throw invalidUrl(`has a host name over ${HOST_NAME_CHARS_MAX} characters`);
  if (text.includes("#")) throw invalidUrl("must not contain a fragment");
  return url;
}

/** One text for one selection of events, whatever their order, and however often each is named. */
export function selectionOf(events: readonly EventType[]): string {
  return EVENT_TYPES.filter((type) => events.includes(type)).join(",");
}
