import type { BodyProfile, CallbackProfile } from "./payload.ts";
import type { CallbackHealth } from "./callback-health.ts";
import { DomainError } from "./errors.ts";
import { EVENT_TYPES } from "./event.ts";
import type { EventName, EventType } from "./event.ts";

/** active: gets deliveries. disabled: the receiver said 410 Gone or failed for long, until it is enabled. removed: its owner withdrew it, until it is registered again. Listed in all three. */
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
  /** Epoch ms from which no attempt is begun; null: the schedule alone decides. */
  readonly notAfter: number | null;
  readonly health: CallbackHealth;
  readonly profile: BodyProfile;
  /** Null: register_callback has made it. */
  readonly subscription: SubscriptionOf | null;
}

/** What a callback is that a client of MCP Events has subscribed with. */
export interface SubscriptionOf {
  readonly id: string;
  readonly name: EventName;
}

/** What makes a registration: the first three name the callback, the others must agree when it is registered again. */
export interface Registration {
  readonly taskId: string;
  readonly clientId: string;
  readonly url: string;
  readonly events: readonly EventType[];
  /** Null: ours to generate, and whatever is there already is fine. */
  readonly signingSecret: string | null;
  readonly notAfter: number | null;
  readonly profile: CallbackProfile;
}

export type RegistrationDifference = "events" | "secret" | "not_after" | "body_format";

export const CALLBACK_URL_CHARS_MAX = 2048;
/** RFC 1035, section 2.3.4. */
const HOST_NAME_CHARS_MAX = 253;
export const CALLBACKS_PER_TASK_MAX = 1000;

/** Which part of a repeated registration contradicts the callback that exists; null when it is simply the same one again. */
export function differenceOf(existing: Callback, again: Registration): RegistrationDifference | null {
  if (again.signingSecret !== null && again.signingSecret !== existing.signingSecret) return "secret";
  if (selectionOf(existing.events) !== selectionOf(again.events)) return "events";
  if (existing.notAfter !== again.notAfter) return "not_after";
  return existing.profile === again.profile ? null : "body_format";
}

/** Parses a callback_url by the contract's rule; throws `invalid`. Whether we may connect there is the address guard's to say. */
export function parseCallbackUrl(text: string): URL {
  return parseTargetUrl("callback_url", text);
}

/** The same rule for a URL that is called `name`. */
export function parseTargetUrl(name: string, text: string): URL {
  const invalidUrl = (problem: string): DomainError => new DomainError("invalid", `${name} ${problem}.`);
  if (text.length > CALLBACK_URL_CHARS_MAX) {
    throw invalidUrl(`has ${text.length} characters, at most ${CALLBACK_URL_CHARS_MAX} are allowed`);
  }
  // The URL parser forgives blanks, line breaks and backslashes; another parser on the way may not, so they are refused.
  if (/[\s\p{Cc}\\]/u.test(text) || !text.isWellFormed())
    throw invalidUrl("must not contain blanks, control characters or backslashes");
  if (!/^https?:\/\//i.test(text)) throw invalidUrl("must be an absolute http:// or https:// URL");
  const url = URL.parse(text);
  if (url === null) throw invalidUrl("is not a valid URL");
  if (/^https?:\/\/[^/?#]*@/i.test(text))
    throw invalidUrl("must not contain user information; authenticate with the signature");
  if (url.port === "0") throw invalidUrl("must not have the port 0, where nothing can listen");
  if (url.hostname.length > HOST_NAME_CHARS_MAX)
    throw invalidUrl(`has a host name over ${HOST_NAME_CHARS_MAX} characters`);
  if (text.includes("#")) throw invalidUrl("must not contain a fragment");
  return url;
}

/** One text for one choice of events, in whatever order and how often they were named. */
export function selectionOf(events: readonly EventType[]): string {
  return EVENT_TYPES.filter((type) => events.includes(type)).join(",");
}
