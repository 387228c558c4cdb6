import { EventsError, invalidParam } from "../../domain/events-error.ts";
import type { EventsErrorCodes } from "../../domain/events-error.ts";
import type { SubscriptionHealth } from "../../domain/subscription.ts";
import { endpointFaultOf } from "../../domain/subscription.ts";
import type { Events } from "../../service/events.ts";
import type { Subscriptions } from "../../service/subscriptions.ts";
import { isoOf } from "../tools/schemas/answers.ts";
import type { Call, Method } from "../protocol/request.ts";
import type { MethodGroup } from "../protocol/methods.ts";
import { DESCRIPTORS } from "./descriptors.ts";
import { rpcErrorOf } from "./errors.ts";
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

/** Events in one answer to a poll, unless it asks for fewer. */
const POLL_EVENTS_MAX = 100;
/** How soon another poll makes sense. */
const NEXT_POLL_MS = 5000;

const MODE_CHARS_MAX = 40;

const EXTENSION = "io.modelcontextprotocol/events";

export interface EventsMethodsNeeds {
  readonly subscriptions: Subscriptions;
  readonly events: Events;
  readonly errorCodes: EventsErrorCodes;
  /** What unsubscribing what is not there is answered with. */
  readonly unknownUnsubscribe: "ok" | "not_found";
}

/** MCP Events (SEP-3415) in all three modes. Both keys are declared, since each of the clients in use reads another one. */
export function createEventsMethods(needs: EventsMethodsNeeds): MethodGroup {
  const { subscriptions, events, errorCodes, unknownUnsubscribe } = needs;

  function method(name: string, answer: (call: Call) => Promise<{ [key: string]: unknown }>, streams = false): Method {
    return {
      name,
      streams,
      async call(call) {
        try {
          return await answer(call);
        } catch (error) {
          if (error instanceof EventsError) throw rpcErrorOf(error, errorCodes);
          throw error;
        }
      },
    };
  }

  async function poll({ principal, params }: Call) {
    const { maxEvents, cursor, maxAgeMs, ...given } = parseNamed(pollParams, params);
    const request = { ...selectionOf(given), cursor: cursor ?? null, maxAgeMs: maxAgeMs ?? null };
    const most = Math.min(maxEvents ?? POLL_EVENTS_MAX, POLL_EVENTS_MAX);
    const { occurrences, ...rest } = await events.poll(principal, request, most);
    return { events: occurrences, ...rest, nextPollMs: NEXT_POLL_MS };
  }

  async function subscribe({ principal, params }: Call) {
    const { delivery, cursor, maxAgeMs, ttlMs, ...given } = parseNamed(subscribeParams, params);
    const selection = selectionOf(given);
    const { mode, url, secret } = delivery;
    if (typeof mode === "string" && mode !== "webhook") throw otherMode(mode);
    const wishes = { cursor: cursor ?? null, maxAgeMs: maxAgeMs ?? null, ttlMs };
    const subscribed = await subscriptions.subscribe(principal, { ...selection, url, secret, ...wishes });
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

  async function unsubscribe({ principal, params }: Call) {
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
      method("events/list", list),
      method("events/poll", poll),
      method("events/stream", createStream(events), true),
      method("events/subscribe", subscribe),
      method("events/unsubscribe", unsubscribe),
    ],
  };
}

async function list({ params }: Call) {
  const { cursor } = parse(listParams, params);
  // There is one page, so no cursor is ever given out.
  if (typeof cursor === "string") throw invalidParam("cursor", "unknown");
  return { events: DESCRIPTORS };
}

/** The one value that is told back: the specification wants it, and it is no secret. */
function otherMode(mode: string): EventsError {
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
