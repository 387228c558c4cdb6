/**
 * Several messages in one request, which only protocol 2025-03-26 has. The SDK could read them, but one that cancels its own request
 * would never be answered.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Accepts } from "./accept.ts";
import { INVALID_REQUEST } from "../errors.ts";
import type { Methods } from "./methods.ts";
import { idOf } from "./message.ts";
import type { Refusal } from "./http-error.ts";
import { writeJson } from "./write-json.ts";

/** Messages in one batch: each may be a call of a tool. */
const BATCH_MESSAGES_MAX = 50;
const LAST_VERSION_WITH_BATCHES = "2025-03-26";

/** Null: it may be answered. Clients of 2025-03-26 send no header with their version yet. */
export function refusedBatch(headers: IncomingHttpHeaders, messages: readonly unknown[]): Refusal | null {
  const version = headers["mcp-protocol-version"];
  if (headers["mcp-method"] !== undefined || (version !== undefined && version > LAST_VERSION_WITH_BATCHES))
    return invalid("protocol 2025-06-18 and later have no batches; send one message per request");
  if (messages.length === 0) return invalid("the batch is empty");
  if (messages.length <= BATCH_MESSAGES_MAX) return null;
  return invalid(`a batch has at most ${BATCH_MESSAGES_MAX} messages, this one has ${messages.length}`);
}

function invalid(reason: string): Refusal {
  return { status: 400, code: INVALID_REQUEST, message: `Invalid Request: ${reason}` };
}

/** The answer to one message as JSON text; empty: it gets none. */
export type AnswerOne = (message: object) => Promise<string>;

export interface BatchNeeds {
  readonly methods: Pick<Methods, "streams">;
  readonly accepts: Accepts;
  readonly answerOne: AnswerOne;
}

/**
 * Writes the answers in the order of the requests, as one JSON text, or as one event for a client that takes no JSON. All are carried out
 * at once, as if each had come by itself.
 */
export async function answerBatch(
  messages: readonly unknown[],
  res: ServerResponse,
  { methods, accepts, answerOne }: BatchNeeds,
): Promise<void> {
  const answers = await Promise.all(
    messages.map(async (message) => refusedInBatch(message, methods) ?? answerOne(message as object)),
  );
  const texts = answers.filter((text) => text !== "");
  if (res.closed) return;
  const text = `[${texts.join(",")}]`;
  if (texts.length === 0) res.writeHead(202).end();
  else if (accepts.json) writeJson(res, 200, text);
  else writeJson(res, 200, `event: message\ndata: ${text}\n\n`, { "content-type": "text/event-stream" });
}

/** The error for what cannot be answered in a batch. */
function refusedInBatch(message: unknown, methods: Pick<Methods, "streams">): string | null {
  if (typeof message !== "object" || message === null || Array.isArray(message))
    return errorText(message, "Invalid Request: not a JSON-RPC message");
  const { method } = message as { readonly method?: unknown };
  if (typeof method !== "string" || methods.streams(method, undefined) === "never") return null;
  return errorText(message, `Invalid Request: ${method} is answered by a stream; send it as a request of its own`);
}

function errorText(message: unknown, reason: string): string {
  return JSON.stringify({ jsonrpc: "2.0", error: { code: INVALID_REQUEST, message: reason }, id: idOf(message) });
}
