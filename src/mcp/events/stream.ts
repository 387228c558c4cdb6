import type { Events, EventsSink } from "../../service/events.ts";
import type { Call } from "../protocol/request.ts";
import { parseNamed, selectionOf, streamParams } from "./params.ts";

/** Marks which request a notification belongs to (SEP-3415; the core's own key for subscriptions). */
const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";

/** `events/stream`: a request whose answer goes on until its client or this server ends it. */
export function createStream(events: Events): (call: Call) => Promise<{ [key: string]: unknown }> {
  return async (call) => {
    const { cursor, maxAgeMs, ...given } = parseNamed(streamParams, call.params);
    const request = { ...selectionOf(given), cursor: cursor ?? null, maxAgeMs: maxAgeMs ?? null };
    const _meta = { [SUBSCRIPTION_ID]: call.id };
    const sink: EventsSink = {
      active: (at, truncated) => call.notify("notifications/events/active", { _meta, cursor: at, truncated }),
      event: (occurrence) => call.notify("notifications/events/event", { _meta, ...occurrence }),
      heartbeat: (at) => call.notify("notifications/events/heartbeat", { _meta, cursor: at }),
    };
    await events.follow(call.principal, request, sink, AbortSignal.any([call.signal, call.closing]));
    return { _meta };
  };
}
