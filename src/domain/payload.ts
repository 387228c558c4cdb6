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
export const BODY_PROFILE_VERSION = 1;

/** As it is stored with a delivery. */
export interface BodyFormat {
  readonly profile: BodyProfile;
  readonly profileVersion: number;
}

/** The callback that a body is written for. */
export interface Recipient {
  readonly clientId: string;
  /** The name that was subscribed to; null for callbacks that are no subscription. */
  readonly eventName: EventName | null;
  /** Of a delivery to a subscription: its watermark once this delivery is settled; null: the body has none. */
  readonly cursor: string | null;
}

/** What every body says, in the order of the standard one. */
interface Envelope {
  readonly type: string;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly data: object;
}

const MESSAGES: Record<EventType, string> = {
  task_completed: "🎉 Task completed successfully!",
  task_failed: "❌ Task failed",
  task_cancelled: "🚫 Task cancelled",
  task_progress: "⏳ Task in progress",
};

const RENDERERS: Record<BodyProfile, (event: Event, recipient: Recipient) => object> = {
  standard: standardBody,
  cloudevents: cloudEventBody,
  "mcp-events": subscriptionBody,
};

/**
 * The exact text that is signed and sent (docs/receivers.md). Pure: the same arguments give the same bytes for ever, so a
 * change of shape is a new profile version, never an edit of this one.
 */
export function renderBody(event: Event, recipient: Recipient, { profile, profileVersion }: BodyFormat): string {
  if (profileVersion !== BODY_PROFILE_VERSION)
    throw new Error(`This version cannot write version ${profileVersion} of the body profile ${profile}.`);
  return JSON.stringify(RENDERERS[profile](event, recipient));
}

export function contentTypeOf(profile: BodyProfile): string {
  return profile === "cloudevents" ? "application/cloudevents+json" : "application/json";
}

function standardBody(event: Event, recipient: Recipient): Envelope {
  return { type: event.type, timestamp: timeOf(event), data: dataFor(event, recipient) };
}

function cloudEventBody(event: Event, recipient: Recipient): object {
  return inCloudEvent(event.id, standardBody(event, recipient));
}

/** Source and id name the event for ever, so the source is no URL of this server, which may move. */
function inCloudEvent(id: string, { type, timestamp, data }: Envelope): object {
  return {
    specversion: "1.0",
    id,
    source: "urn:mcp-callbacks:tasks",
    type,
    time: timestamp,
    datacontenttype: "application/json",
    data,
  };
}

function subscriptionBody(event: Event, { eventName, cursor }: Recipient): object {
  if (event.type === "task_progress") throw new Error("Subscriptions get no progress.");
  return { ...occurrenceOf(event, eventName ?? event.type), cursor };
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
  const body = { type: "test", timestamp: new Date(now).toISOString(), data };
  return JSON.stringify(callback?.profile === "cloudevents" ? inCloudEvent(id, body) : body);
}
