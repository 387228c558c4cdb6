import type { RouterMiddleware } from "@koa/router";
import { z } from "zod";
import { CLIENT_GIVEN_ID_CHARS_MAX, isClientGivenId } from "../../domain/ids.ts";
import { isNestedDeeper, JSON_DEPTH_MAX } from "../../domain/json.ts";
import type { Json } from "../../domain/json.ts";
import { createOriginPolicy } from "../../inbound/origin-policy.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Inbox } from "../../service/inbox.ts";
import type { PrincipalOf } from "../../service/principals.ts";
import { ApiError, receiverErrorSchema } from "../api-error.ts";
import { readBytes } from "../json-body.ts";
import type { Operation } from "../openapi/operation.ts";
import { count, isoOf, isoTime } from "../schemas.ts";

/** The depth of a task's result, and of the webhook around it. */
const BODY_DEPTH_MAX = JSON_DEPTH_MAX + 10;
const HEADERS_CHARS_MAX = 16 * 1024;

export interface InboxParts {
  readonly inbox: Inbox;
  readonly principalOf: PrincipalOf;
  /** Host names without port, an IPv6 address in brackets. */
  readonly allowedHosts: readonly string[];
  readonly emit: Emit;
}

const webhookRequest = z.looseObject({ type: z.string().min(1) });
const webhookAnswer = z.object({
  status: z.literal("received"),
  client_id: z.string(),
  task_id: z.string().nullable(),
  message: z.string(),
  timestamp: isoTime,
});
const receivedAnswer = z.object({
  client_id: z.string(),
  count,
  received: z.array(
    z.object({ received_at: isoTime, headers: z.object({}).catchall(z.string()), body: webhookRequest }),
  ),
});

const CLIENT_ID = { client_id: { in: "path", description: "The name of the receiver, of your choice." } } as const;
const NOT_TAKEN = { description: "An error; message says what is wrong and what to do.", schema: receiverErrorSchema };

/** The test receiver. */
export function inboxOperations(parts: InboxParts): readonly Operation[] {
  return [
    {
      method: "post",
      path: "/webhook/{client_id}",
      id: "receiveWebhook",
      summary: "The test receiver: accepts and keeps the POST of a callback.",
      parameters: CLIENT_ID,
      request: webhookRequest,
      responses: {
        200: { description: "The POST is kept.", schema: webhookAnswer },
        400: NOT_TAKEN,
        413: NOT_TAKEN,
        415: NOT_TAKEN,
      },
      handle: receiveWebhook(parts),
    },
    {
      method: "get",
      path: "/webhook/{client_id}",
      id: "showReceived",
      summary: "The POSTs that the test receiver got, newest first.",
      parameters: CLIENT_ID,
      security: "access",
      responses: {
        200: { description: "The last 100, fewer when they are large.", schema: receivedAnswer },
        400: NOT_TAKEN,
        401: NOT_TAKEN,
        403: NOT_TAKEN,
      },
      handle: showReceived(parts),
    },
  ];
}

/** POST /webhook/{client_id}: keeps any JSON object with a `type`. */
function receiveWebhook({ inbox }: { readonly inbox: Inbox }): RouterMiddleware {
  return async (ctx) => {
    const clientId = clientIdOf(ctx);
    const webhook = parseWebhook((await readBytes(ctx.req)).toString());
    if (webhook === null) throw new ApiError("invalid", 'The body must be a JSON object with a "type".');
    const { taskId, receivedAt } = await inbox.receive(clientId, { ...webhook, headers: headersOf(ctx.headers) });
    ctx.body = {
      status: "received",
      client_id: clientId,
      task_id: taskId,
      message: `✅ Webhook received by ${clientId}`,
      timestamp: isoOf(receivedAt),
    };
  };
}

/**
 * GET /webhook/{client_id}: what was received, newest first. It shows results of tasks: so it needs a token where the server has
 * tokens, and refuses other Host headers as /mcp does (DNS rebinding).
 */
function showReceived({ inbox, principalOf, ...parts }: InboxParts): RouterMiddleware {
  const origins = createOriginPolicy({ ...parts, allowedOrigins: [] });
  return async (ctx) => {
    const refusedHost = origins.refusedHost(ctx.req.headers.host);
    if (refusedHost !== null) throw new ApiError("forbidden", refusedHost);
    if (principalOf(ctx.get("Authorization") || undefined) === null)
      throw new ApiError("unauthorized", "Send one of the server's tokens: Authorization: Bearer <token>.");
    const clientId = clientIdOf(ctx);
    const received = await inbox.list(clientId);
    ctx.set("Cache-Control", "no-store");
    ctx.body = {
      client_id: clientId,
      count: received.length,
      received: received.map(({ receivedAt, headers, body }) => ({
        received_at: isoOf(receivedAt),
        headers,
        body,
      })),
    };
  };
}

type Context = Parameters<RouterMiddleware>[0];

function clientIdOf({ params }: Context): string {
  const clientId: unknown = params["client_id"];
  if (typeof clientId === "string" && isClientGivenId(clientId)) return clientId;
  throw new ApiError(
    "invalid",
    `The client_id in the path must have 1 to ${CLIENT_GIVEN_ID_CHARS_MAX} characters, none of them a control character.`,
  );
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

/** As text, up to a bound. */
function headersOf(headers: Context["headers"]): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  let chars = 0;
  return Object.fromEntries(
    entries.filter(([name, value]) => (chars += name.length + value.length) <= HEADERS_CHARS_MAX),
  );
}
