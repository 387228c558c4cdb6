import { isAscii } from "node:buffer";
import { isNestedDeeper, JSON_DEPTH_MAX } from "../../domain/json.ts";
import { REQUEST_BODY_BYTES_MAX, unsupportedEncoding } from "../../runtime/request-body.ts";
import type { RequestBody } from "../../runtime/request-body.ts";
import { HTTP_ERROR, INVALID_REQUEST, PARSE_ERROR } from "../errors.ts";
import type { Refusal } from "./http-error.ts";

/** What the domain allows a task's input, and the message around it. Deeper ones would exhaust the stack of whoever writes them out. */
const MESSAGE_DEPTH_MAX = JSON_DEPTH_MAX + 10;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * One JSON-RPC message, or at least a JSON object that claims to be one; a batch of what may be messages; `gone`: the client went away
 * while sending.
 */
export type ReadMessage =
  | { readonly kind: "message"; readonly message: object }
  | { readonly kind: "batch"; readonly messages: readonly unknown[] }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly id: MessageId }
  | { readonly kind: "gone" };

/** Null: it has none, or none that could be one. */
export type MessageId = string | number | null;

export function messageOf(body: RequestBody): ReadMessage {
  switch (body.kind) {
    case "bytes":
      return parseMessage(body.bytes);
    case "too_large":
      return TOO_LARGE;
    case "encoded":
      return refused(415, HTTP_ERROR, `Unsupported Media Type: ${unsupportedEncoding(body.encoding)}`, NOT_ENCODED);
    case "gone":
      return body;
  }
}

export function idOf(message: unknown): MessageId {
  if (typeof message !== "object" || message === null || !("id" in message)) return null;
  const { id } = message;
  return typeof id === "string" || Number.isSafeInteger(id) ? (id as string | number) : null;
}

function parseMessage(bytes: Buffer): ReadMessage {
  let message: unknown;
  try {
    message = JSON.parse(isAscii(bytes) ? bytes.toString("latin1") : UTF8.decode(bytes));
  } catch {
    return refused(400, PARSE_ERROR, "Parse error: the request body is not valid JSON");
  }
  if (typeof message !== "object" || message === null) {
    return refused(400, INVALID_REQUEST, "Invalid Request: the request body must be a JSON-RPC message");
  }
  if (isNestedDeeper(message, MESSAGE_DEPTH_MAX)) {
    const refusal = { status: 400, code: INVALID_REQUEST, message: TOO_DEEP };
    return { kind: "refused", refusal, id: idOf(message) };
  }
  if (Array.isArray(message)) return { kind: "batch", messages: message.map(withoutNulls) };
  return { kind: "message", message: withoutNulls(message) };
}

/** The parts of a message for which clients send null where they mean that there is none. */
const NULLABLE = ["task", "arguments", "cursor"];

/** The same message; what is null, and has no meaning as null, is left out. Methods of extensions give a null of theirs a meaning. */
function withoutNulls<Message>(message: Message): Message {
  if (!isRecord(message)) return message;
  if (message["params"] === null) delete message["params"];
  const { params, method } = message;
  if (!isRecord(params)) return message;
  // What a client says of itself: some write all members that they know, and null for those that they do not have.
  dropNulls(method === "initialize" ? params : params["_meta"]);
  if (params["_meta"] === null) delete params["_meta"];
  if (typeof method !== "string" || method.startsWith("events/")) return message;
  for (const key of NULLABLE) if (params[key] === null) delete params[key];
  return message;
}

/** At every depth, which is bounded by that of a message. The items of an array stay. */
function dropNulls(value: unknown): void {
  if (!isRecord(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === null && !Array.isArray(value)) delete value[key];
    else dropNulls(inner);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** RFC 9110, 15.5.16: what would have been taken. */
const NOT_ENCODED = { "Accept-Encoding": "identity" };
const TOO_DEEP = `Invalid Request: the message is nested deeper than ${MESSAGE_DEPTH_MAX} levels`;
const TOO_LARGE = refused(413, HTTP_ERROR, `Payload Too Large: a message has at most ${REQUEST_BODY_BYTES_MAX} bytes`);

function refused(status: number, code: number, message: string, headers: Refusal["headers"] = {}): ReadMessage {
  return { kind: "refused", refusal: { status, code, message, headers }, id: null };
}
