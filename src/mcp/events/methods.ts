import { EventsError, invalidParam } from "../../domain/events-error.ts";
import type { SubscriptionHealth } from "../../domain/subscription.ts";
import { endpointFaultOf } from "../../domain/subscription.ts";
import type { Events } from "../../service/events.ts";
import type { Subscriptions } from "../../service/subscriptions.ts";
import { isoOf } from "../tools/schemas/output.ts";
import type { McpRequest } from "../protocol/mcp-request.ts";
import type { MethodGroup } from "../protocol/methods.ts";
import { DESCRIPTORS } from "./descriptors.ts";
import {
  listParams,
  parse,
  parseNamed,
  pollParams,
  selectionOf,
  subscribeParams,
  taskIdIn,
  unsubscribeParams,
} from "./params.ts";
import { createStream } from "./stream.ts";

/** Events in one answer to a poll, unless the poll asks for fewer. */
const POLL_EVENTS_MAX = 100;
/** The suggested time until the next poll. */
const NEXT_POLL_MS = 5000;

const MODE_CHARS_MAX = 40;

const EXTENSION = "io.modelcontextprotocol/events";

export interface EventsMethodsParts {
  readonly subscriptions: Subscriptions;
  readonly events: Events;
  /** The answer to an unsubscribe of a subscription that does not exist. */
  readonly unknownUnsubscribe: "ok" | "not_found";
}

/** MCP Events (SEP-3415) in all three modes. Declared under two keys: some clients read `capabilities.events`, some the extension. */
export function createEventsMethods(parts: EventsMethodsParts): MethodGroup {
  const { subscriptions, events, unknownUnsubscribe } = parts;

  async function poll({ principal, params }: McpRequest) {
    const { maxEvents, cursor, maxAgeMs, ...given } = parseNamed(pollParams, params);
    const request = { ...selectionOf(given), cursor: cursor ?? null, maxAgeMs: maxAgeMs ?? null };
    const most = Math.min(maxEvents ?? POLL_EVENTS_MAX, POLL_EVENTS_MAX);
    const { occurrences, ...rest } = await events.poll(principal, request, most);
    return { events: occurrences, ...rest, nextPollMs: NEXT_POLL_MS };
  }

  async function subscribe({ principal, params }: McpRequest) {
    const { delivery, cursor, maxAgeMs, ttlMs, ...given } = parseNamed(subscribeParams, params);
    const selection = selectionOf(given);
    const { mode, url, secret } = delivery;
    if (typeof mode === "string" && mode !== "webhook") throw unsupportedMode(mode);
    const options = { cursor: cursor ?? null, maxAgeMs: maxAgeMs ?? null, ttlMs };
    const subscribed = await subscriptions.subscribe(principal, { ...selection, url, secret, ...options });
    return {
      id: subscribed.id,
      refreshBefore: subscribed.refreshBefore === null ? null : isoOf(subscribed.refreshBefore),
      cursor: subscribed.cursor,
      truncated: subscribed.truncated,
      ...(subscribed.health === null
        ? {}
        : { deliveryStatus: deliveryStatusOf(subscribed.health, subscribed.throttledForMs) }),
    };
  }

  async function unsubscribe({ principal, params }: McpRequest) {
    const { name, arguments: given, delivery } = parse(unsubscribeParams, params);
    const taskId = taskIdIn(given);
    const removed =
      taskId !== undefined && (await subscriptions.unsubscribe(principal, { name, taskId, url: delivery.url }));
    if (!removed && unknownUnsubscribe === "not_found") throw new EventsError("NotFound", { kind: "subscription" });
    return {};
  }

  return {
    capabilities: { events: {} },
    extensions: { [EXTENSION]: { listChanged: false } },
    methods: [
      { name: "events/list", streams: false, answer: list },
      { name: "events/poll", streams: false, answer: poll },
      { name: "events/stream", streams: true, answer: createStream(events) },
      { name: "events/subscribe", streams: false, answer: subscribe },
      { name: "events/unsubscribe", streams: false, answer: unsubscribe },
    ],
  };
}

async function list({ params }: McpRequest) {
  const { cursor } = parse(listParams, params);
  // There is one page, so this server gives out no cursor.
  if (typeof cursor === "string") throw invalidParam("cursor", "unknown");
  return { events: DESCRIPTORS };
}

/** The specification wants the value repeated here. No other value of an argument is repeated. */
function unsupportedMode(mode: string): EventsError {
  return new EventsError("Unsupported", { feature: "deliveryMode", value: mode.slice(0, MODE_CHARS_MAX) });
}

function deliveryStatusOf(
  { isActive, lastDeliveryAt, lastError, failingSince }: SubscriptionHealth,
  throttledForMs: number | null,
) {
  return {
    active: isActive,
    lastDeliveryAt: lastDeliveryAt === null ? null : isoOf(lastDeliveryAt),
    lastError: lastError === null ? null : endpointFaultOf(lastError),
    ...(failingSince === null ? {} : { failedSince: isoOf(failingSince) }),
    ...(throttledForMs === null ? {} : { throttled: true, retryAfterMs: throttledForMs }),
  };
}
