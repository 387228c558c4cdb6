import type { Event, EventName, EventType } from "./event.ts";
import { occurrenceOf } from "./occurrence.ts";

/**
 * How an event is written for a receiver. standard: that of docs/receivers.md. cloudevents: CloudEvents 1.0, structured mode. mcp-events: that of
 * subscriptions (SEP-3415). It is stored with the delivery, and its version too, so that every retry sends the same bytes.
 */
export type BodyProfile = "standard" | "cloudevents" | "mcp-events";
/** The ones that register_callback offers. */
export const CALLBACK_PROFILES = ["standard", "cloudevents"] as const satisfies readonly BodyProfile[];
export type CallbackProfile = (typeof CALLBACK_PROFILES)[number];
/** 2 has the audience and the principal in every body (`Binding`). Deliveries that were stored under version 1 keep its bytes. */
export const BODY_PROFILE_VERSION = 2;

/** As it is stored with a delivery. */
export interface BodyFormat {
  readonly profile: BodyProfile;
  readonly profileVersion: number;
}

/** The callback that a body is written for. */
export interface Recipient {
  /** The owner of the callback: the name of its access token. */
  readonly principal: string;
  readonly clientId: string;
  readonly url: string;
  /** The name that was subscribed to; null for callbacks that are no subscription. */
  readonly eventName: EventName | null;
  /** Of a delivery to a subscription: its watermark once this delivery is settled; null: the body has none. */
  readonly cursor: string | null;
}

/**
 * The signature covers it, so a receiver sees that a POST was registered by another principal, or forwarded from another URL. Of the profile
 * mcp-events it is in `_meta`. Null: the body has none.
 */
type Binding = {
  /** The URL that the POST is for, as it was registered. */
  readonly audience: string;
  readonly principal: string;
} | null;

/** What every body says, in the order of the standard one. */
interface Envelope {
  readonly type: string;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly data: object;
  readonly audience?: string;
  readonly principal?: string;
}

const MESSAGES: Record<EventType, string> = {
  task_completed: "🎉 Task completed successfully!",
  task_failed: "❌ Task failed",
  task_cancelled: "🚫 Task cancelled",
  task_progress: "⏳ Task in progress",
};

const RENDERERS: Record<BodyProfile, (event: Event, recipient: Recipient, binding: Binding) => object> = {
  standard: standardBody,
  cloudevents: cloudEventBody,
  "mcp-events": subscriptionBody,
};

/**
 * The exact text that is signed and sent (docs/receivers.md). Pure: the same arguments give the same bytes for ever, so a
 * change of shape is a new profile version, never an edit of this one.
 */
export function renderBody(event: Event, recipient: Recipient, { profile, profileVersion }: BodyFormat): string {
  if (profileVersion !== 1 && profileVersion !== BODY_PROFILE_VERSION)
    throw new Error(`This version cannot write version ${profileVersion} of the body profile ${profile}.`);
  return JSON.stringify(RENDERERS[profile](event, recipient, profileVersion === 1 ? null : bindingOf(recipient)));
}

export function contentTypeOf(profile: BodyProfile): string {
  return profile === "cloudevents" ? "application/cloudevents+json" : "application/json";
}

function bindingOf({ url, principal }: Pick<Recipient, "url" | "principal">): Binding {
  return { audience: url, principal };
}

function standardBody(event: Event, recipient: Recipient, binding: Binding): Envelope {
  return { type: event.type, timestamp: timeOf(event), data: dataFor(event, recipient), ...binding };
}

function cloudEventBody(event: Event, recipient: Recipient, binding: Binding): object {
  return inCloudEvent(event.id, standardBody(event, recipient, binding));
}

/** Source and id name the event for ever, so the source is no URL of this server, which may move. */
function inCloudEvent(id: string, { type, timestamp, data, ...binding }: Envelope): object {
  const { principal } = binding;
  return {
    specversion: "1.0",
    id,
    source: `urn:mcp-callbacks:tasks${principal === undefined ? "" : `:${encodeURIComponent(principal)}`}`,
    type,
    time: timestamp,
    datacontenttype: "application/json",
    ...binding,
    data,
  };
}

function subscriptionBody(event: Event, { eventName, cursor }: Recipient, binding: Binding): object {
  if (event.type === "task_progress") throw new Error("Subscriptions get no progress.");
  return { ...occurrenceOf(event, eventName ?? event.type), cursor, ...(binding && { _meta: binding }) };
}

function dataFor(event: Event, { clientId }: Recipient): object {
  const { task_id, started_by, status, ...fields } = event.data;
  const message = MESSAGES[event.type];
  const end = event.type === "task_progress" ? {} : { completed_at: timeOf(event) };
  return { task_id, client_id: clientId, started_by, status, ...fields, message, ...end };
}

function timeOf(event: Event): string {
  return new Date(event.occurredAt).toISOString();
}

/** The callback that a test POST is made for; null: it is not registered yet. */
export type TestTarget = {
  readonly id: string;
  readonly principal: string;
  readonly url: string;
  readonly taskId: string | null;
  readonly clientId: string;
  readonly profile: BodyProfile;
} | null;

/** The body of a test POST, about no task, in the format of the callback's deliveries. `id`: its `webhook-id`. `now`: epoch ms. */
export function renderTestBody(id: string, callback: TestTarget, now: number): string {
  const data = {
    callback_id: callback?.id ?? null,
    task_id: callback?.taskId ?? null,
    client_id: callback?.clientId ?? null,
    message: "🧪 This is a test event: no task has ended, and nothing needs to be done.",
  };
  const binding = callback === null ? null : bindingOf(callback);
  const body = { type: "test", timestamp: new Date(now).toISOString(), data, ...binding };
  return JSON.stringify(callback?.profile === "cloudevents" ? inCloudEvent(id, body) : body);
}
