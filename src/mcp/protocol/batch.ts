/**
 * Several messages in one request, which only protocol 2025-03-26 has. Not left to the SDK: it never answers a batch in which one message
 * cancels another.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Accepts } from "./accept.ts";
import { INVALID_REQUEST } from "../errors.ts";
import type { Methods } from "./methods.ts";
import { idOf } from "./message.ts";
import type { HttpError } from "./http-error.ts";
import { writeJson } from "./write-response.ts";

/** Each message may be a tool call. */
const BATCH_MESSAGES_MAX = 50;
const LAST_VERSION_WITH_BATCHES = "2025-03-26";

/** Null: the batch is accepted. Clients of 2025-03-26 send no header with their version yet. */
export function batchErrorOf(headers: IncomingHttpHeaders, messages: readonly unknown[]): HttpError | null {
  const version = headers["mcp-protocol-version"];
  if (headers["mcp-method"] !== undefined || (version !== undefined && version > LAST_VERSION_WITH_BATCHES))
    return invalid("protocol 2025-06-18 and later have no batches; send one message per request");
  if (messages.length === 0) return invalid("the batch is empty; send at least one message");
  if (messages.length <= BATCH_MESSAGES_MAX) return null;
  return invalid(
    `a batch has at most ${BATCH_MESSAGES_MAX} messages, this one has ${messages.length}; send several batches`,
  );
}

function invalid(reason: string): HttpError {
  return { status: 400, code: INVALID_REQUEST, message: `Invalid Request: ${reason}` };
}

/** The answer to one message as JSON text; empty for a notification. */
export type AnswerOne = (message: object) => Promise<string>;

export interface BatchParts {
  readonly methods: Pick<Methods, "streams">;
  readonly accepts: Accepts;
  readonly answerOne: AnswerOne;
}

/**
 * Writes the answers in the order of the requests, as one JSON text, or as one event for a client that accepts no JSON. The messages are
 * answered concurrently, as if each had come in a request of its own.
 */
export async function answerBatch(
  messages: readonly unknown[],
  res: ServerResponse,
  { methods, accepts, answerOne }: BatchParts,
): Promise<void> {
  const answers = await Promise.all(
    messages.map(async (message) => errorInBatch(message, methods) ?? answerOne(message as object)),
  );
  const texts = answers.filter((text) => text !== "");
  if (res.closed) return;
  const text = `[${texts.join(",")}]`;
  if (texts.length === 0) res.writeHead(202).end();
  else if (accepts.json) writeJson(res, 200, text);
  else writeJson(res, 200, `event: message\ndata: ${text}\n\n`, { "content-type": "text/event-stream" });
}

/** The error for a message that cannot be answered in a batch; null: it can. */
function errorInBatch(message: unknown, methods: Pick<Methods, "streams">): string | null {
  if (typeof message !== "object" || message === null || Array.isArray(message))
    return errorText(message, "Invalid Request: not a JSON-RPC message");
  const { method } = message as { readonly method?: unknown };
  if (typeof method !== "string" || methods.streams(method, undefined) === "never") return null;
  return errorText(message, `Invalid Request: ${method} is answered by a stream; send it as a request of its own`);
}

function errorText(message: unknown, reason: string): string {
  return JSON.stringify({ jsonrpc: "2.0", error: { code: INVALID_REQUEST, message: reason }, id: idOf(message) });
}
