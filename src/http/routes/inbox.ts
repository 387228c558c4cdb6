import type { RouterMiddleware } from "@koa/router";
import { isClientGivenId } from "../../domain/ids.ts";
import { isNestedDeeper, JSON_DEPTH_MAX } from "../../domain/json.ts";
import type { Json } from "../../domain/json.ts";
import { createOriginPolicy } from "../../runtime/origin-policy.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Inbox } from "../../service/inbox.ts";
import type { PrincipalOf } from "../../service/principals.ts";
import {
  discardRest,
  readRequestBody,
  REQUEST_BODY_BYTES_MAX,
  unsupportedEncoding,
} from "../../runtime/request-body.ts";

/** What a task's result may have, and the webhook around it. */
const BODY_DEPTH_MAX = JSON_DEPTH_MAX + 10;
const HEADERS_CHARS_MAX = 16 * 1024;

export interface InboxReading {
  readonly inbox: Inbox;
  readonly principalOf: PrincipalOf;
  /** Host names without port, an IPv6 address in brackets. */
  readonly allowedHosts: readonly string[];
  readonly emit: Emit;
}

/** POST /webhook/{client_id}: takes any JSON object with a `type`, keeps it, and says so. */
export function receiveWebhook({ inbox }: { readonly inbox: Inbox }): RouterMiddleware {
  return async (ctx) => {
    const clientId = clientIdOf(ctx.params["client_id"]);
    if (clientId === null) return refuse(ctx, 400, "client_id must have 1 to 200 characters, no control characters.");
    const body = await readRequestBody(ctx.req);
    if (body.kind === "gone") return refuse(ctx, 400, "The body ended before it was complete.");
    if (body.kind === "encoded") {
      discardRest(ctx.req);
      return refuse(ctx, 415, unsupportedEncoding(body.encoding));
    }
    if (body.kind === "too_large") {
      discardRest(ctx.req);
      return refuse(ctx, 413, `The body is over ${REQUEST_BODY_BYTES_MAX} bytes.`);
    }
    const webhook = parseWebhook(body.bytes.toString());
    if (webhook === null) return refuse(ctx, 400, 'The body must be a JSON object with a "type".');
    const { taskId, receivedAt } = await inbox.receive(clientId, { ...webhook, headers: headersOf(ctx.headers) });
    ctx.body = {
      status: "received",
      client_id: clientId,
      task_id: taskId,
      message: `✅ Webhook received by ${clientId}`,
      timestamp: new Date(receivedAt).toISOString(),
    };
  };
}

/**
 * GET /webhook/{client_id}: what was received, newest first. It shows results: so with tokens set it needs one, and a page of a
 * rebound name (another Host) is refused as on /mcp.
 */
export function showReceived({ inbox, principalOf, ...needs }: InboxReading): RouterMiddleware {
  const origins = createOriginPolicy({ ...needs, allowedOrigins: [] });
  return async (ctx) => {
    const refusedHost = origins.refusedHost(ctx.req.headers.host);
    if (refusedHost !== null) return refuse(ctx, 403, refusedHost);
    if (principalOf(ctx.get("Authorization") || undefined) === null) {
      ctx.set("WWW-Authenticate", "Bearer");
      return refuse(ctx, 401, "Send one of the server's tokens: Authorization: Bearer <token>.");
    }
    const clientId = clientIdOf(ctx.params["client_id"]);
    if (clientId === null) return refuse(ctx, 400, "client_id must have 1 to 200 characters, no control characters.");
    const received = await inbox.list(clientId);
    ctx.set("Cache-Control", "no-store");
    ctx.body = {
      client_id: clientId,
      count: received.length,
      received: received.map(({ receivedAt, headers, body }) => ({
        received_at: new Date(receivedAt).toISOString(),
        headers,
        body,
      })),
    };
  };
}

type Context = Parameters<RouterMiddleware>[0];

function refuse(ctx: Context, status: number, message: string): void {
  ctx.status = status;
  ctx.body = { status: "error", message };
}

function clientIdOf(parameter: string | undefined): string | null {
  return parameter !== undefined && isClientGivenId(parameter) ? parameter : null;
}

function parseWebhook(text: string): { readonly type: string; readonly body: Json } | null {
  try {
    const body = JSON.parse(text) as Json;
    if (body === null || typeof body !== "object" || !("type" in body)) return null;
    if (isNestedDeeper(body, BODY_DEPTH_MAX)) return null;
    return typeof body.type === "string" && body.type !== "" ? { type: body.type, body } : null;
  } catch {
    return null;
  }
}

/** As text, and no more of them than a webhook could want. */
function headersOf(headers: Context["headers"]): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  let chars = 0;
  return Object.fromEntries(
    entries.filter(([name, value]) => (chars += name.length + value.length) <= HEADERS_CHARS_MAX),
  );
}
