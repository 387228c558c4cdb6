import { z } from "zod";
import { completionOperation } from "../routes/completion-urls.ts";
import type { CompletionNeeds } from "../routes/completion-urls.ts";
import { discoveryOperations } from "../routes/discovery.ts";
import type { DiscoveryNeeds } from "../routes/discovery.ts";
import { firstPageOperation } from "../routes/first-page.ts";
import { healthOf } from "../routes/health.ts";
import type { HealthNeeds } from "../routes/health.ts";
import { receiveWebhook, showReceived } from "../routes/inbox.ts";
import type { InboxReading } from "../routes/inbox.ts";
import { receiverErrorSchema } from "../api-error.ts";
import { openApiDocument } from "./document.ts";
import type { Operation } from "./operation.ts";
import { publicKeysOperations } from "../routes/jwks.ts";
import type { PublicKeysNeeds } from "../routes/jwks.ts";
import { isoTime } from "../routes/worker-schemas.ts";
import { workerOperations } from "../routes/workers.ts";
import type { WorkerApiNeeds } from "../routes/workers.ts";

export interface OperationsNeeds
  extends HealthNeeds, InboxReading, WorkerApiNeeds, CompletionNeeds, PublicKeysNeeds, DiscoveryNeeds {}

const count = z.int().min(0).meta({ maximum: undefined });

const healthAnswer = z.object({
  status: z.literal("healthy"),
  server: z.string(),
  transport: z.string(),
  completed_tasks: count,
  pending_callbacks: count,
  active_tasks: count,
  slow_origins: count,
  disabled_callbacks: count,
  timestamp: isoTime,
});
const unhealthyAnswer = z.object({
  status: z.literal("unhealthy"),
  server: z.string(),
  transport: z.string(),
  timestamp: isoTime,
});
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

/** All routes except /mcp. */
export function createOperations(needs: OperationsNeeds): readonly Operation[] {
  const documented: readonly Operation[] = [
    firstPageOperation(needs),
    healthOperation(needs),
    ...inboxOperations(needs),
    ...workerOperations(needs),
    completionOperation(needs),
    ...publicKeysOperations(needs),
    ...discoveryOperations(needs),
  ];
  const document: Operation = {
    method: "get",
    path: "/openapi.json",
    id: "openApi",
    summary: "This document.",
    responses: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({ openapi: z.literal("3.1.0") }) } },
    handle(ctx) {
      ctx.body = openApiDocument([...documented, document], needs.openApi());
    },
  };
  return [...documented, document];
}

function healthOperation(needs: HealthNeeds): Operation {
  return {
    method: "get",
    path: "/health",
    id: "health",
    summary: "Health of the server, with counts.",
    responses: {
      200: { description: "The server works.", schema: healthAnswer },
      503: { description: "The database does not answer.", schema: unhealthyAnswer },
    },
    // The body is a string: for an object Koa reads the global `Response`, which makes Node load `fetch`, about 15 ms.
    async handle(ctx) {
      const { status, headers, body } = await healthOf(needs);
      ctx.set({ ...headers });
      ctx.body = body;
      ctx.status = status;
    },
  };
}

function inboxOperations(needs: InboxReading): readonly Operation[] {
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
      handle: receiveWebhook(needs),
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
      handle: showReceived(needs),
    },
  ];
}
