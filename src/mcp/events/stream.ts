import type { Events, EventsSink } from "../../service/events.ts";
import type { McpRequest } from "../protocol/mcp-request.ts";
import { parseNamed, selectionOf, streamParams } from "./params.ts";

/** The key in `_meta` that names the request which a notification belongs to (SEP-3415 uses the core's key for subscriptions). */
const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";

/** `events/stream`: a request whose stream goes on until its client or this server ends it. */
export function createStream(events: Events): (request: McpRequest) => Promise<{ [key: string]: unknown }> {
  return async (request) => {
    const { cursor, maxAgeMs, ...given } = parseNamed(streamParams, request.params);
    const selected = { ...selectionOf(given), cursor: cursor ?? null, maxAgeMs: maxAgeMs ?? null };
    const _meta = { [SUBSCRIPTION_ID]: request.id };
    const sink: EventsSink = {
      active: (at, truncated) => request.notify("notifications/events/active", { _meta, cursor: at, truncated }),
      event: (occurrence) => request.notify("notifications/events/event", { _meta, ...occurrence }),
      heartbeat: (at) => request.notify("notifications/events/heartbeat", { _meta, cursor: at }),
    };
    await events.follow(request.principal, selected, sink, AbortSignal.any([request.signal(), request.stopping]));
    return { _meta };
  };
}
