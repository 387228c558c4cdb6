import { isAscii } from "node:buffer";
import { isNestedDeeper, JSON_DEPTH_MAX } from "../../domain/json.ts";
import { REQUEST_BODY_BYTES_MAX, unsupportedEncoding } from "../../inbound/request-body.ts";
import type { RequestBody } from "../../inbound/request-body.ts";
import { HTTP_ERROR, INVALID_REQUEST, PARSE_ERROR } from "../errors.ts";
import type { HttpError } from "./http-error.ts";

/** The depth that the domain allows a task's input, and of the message around it. Serialising deeper ones would exhaust the stack. */
const MESSAGE_DEPTH_MAX = JSON_DEPTH_MAX + 10;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/**
 * `message`: a JSON object that should be a JSON-RPC message. `batch`: an array of what should be messages. `refused`: the request is
 * answered with an error. `gone`: the client disconnected while sending.
 */
export type ReadMessage =
  | { readonly kind: "message"; readonly message: object }
  | { readonly kind: "batch"; readonly messages: readonly unknown[] }
  | { readonly kind: "refused"; readonly error: HttpError; readonly id: MessageId }
  | { readonly kind: "gone" };

/** Null: the message has no id, or an invalid one. */
export type MessageId = string | number | null;

export function messageOf(body: RequestBody): ReadMessage {
  switch (body.kind) {
    case "bytes":
      return parseMessage(body.bytes);
    case "too_large":
      return TOO_LARGE;
    case "encoded":
      return refused(415, HTTP_ERROR, `Unsupported Media Type: ${unsupportedEncoding(body.encoding)}`, IDENTITY_ONLY);
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
    return refused(400, PARSE_ERROR, "Parse error: the request body is not valid JSON in UTF-8");
  }
  if (typeof message !== "object" || message === null) {
    return refused(
      400,
      INVALID_REQUEST,
      "Invalid Request: the request body must be a JSON-RPC message, which is a JSON object",
    );
  }
  if (isNestedDeeper(message, MESSAGE_DEPTH_MAX)) {
    return { kind: "refused", error: { status: 400, code: INVALID_REQUEST, message: TOO_DEEP }, id: idOf(message) };
  }
  if (Array.isArray(message)) return { kind: "batch", messages: message.map(withoutNulls) };
  return { kind: "message", message: withoutNulls(message) };
}

/** Members of `params` that some clients send as null when they have no value. */
const NULLABLE = ["task", "arguments", "cursor"];

/** Deletes members whose null means that they are absent. Methods of extensions give null a meaning of its own, so theirs stay. */
function withoutNulls<Message>(message: Message): Message {
  if (!isRecord(message)) return message;
  if (message["params"] === null) delete message["params"];
  const { params, method } = message;
  if (!isRecord(params)) return message;
  // In its description of itself a client may write null for each member that it does not have.
  dropNulls(method === "initialize" ? params : params["_meta"]);
  if (params["_meta"] === null) delete params["_meta"];
  if (typeof method !== "string" || method.startsWith("events/")) return message;
  for (const key of NULLABLE) if (params[key] === null) delete params[key];
  return message;
}

/** At every depth; `MESSAGE_DEPTH_MAX` bounds it. The items of an array stay. */
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

/** RFC 9110, 15.5.16: names the encoding that is accepted. */
const IDENTITY_ONLY = { "Accept-Encoding": "identity" };
const TOO_DEEP = `Invalid Request: the message is nested deeper than ${MESSAGE_DEPTH_MAX} levels; flatten it`;
const TOO_LARGE = refused(413, HTTP_ERROR, `Payload Too Large: a message has at most ${REQUEST_BODY_BYTES_MAX} bytes`);

function refused(status: number, code: number, message: string, headers: HttpError["headers"] = {}): ReadMessage {
  return { kind: "refused", error: { status, code, message, headers }, id: null };
}
