import { isAscii } from "node:buffer";
import { isNestedDeeper, JSON_DEPTH_MAX } from "../domain/json.ts";
import { REQUEST_BODY_BYTES_MAX } from "../request-body.ts";
import type { RequestBody } from "../request-body.ts";
import { HTTP_ERROR, INVALID_REQUEST, PARSE_ERROR } from "./errors.ts";
import type { Refusal } from "./refusal.ts";

/** What the domain allows a task's input, and the message around it. Deeper ones would exhaust the stack of whoever writes them out. */
const MESSAGE_DEPTH_MAX = JSON_DEPTH_MAX + 10;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** One JSON-RPC message, or at least a JSON object that claims to be one; `gone`: the client went away while sending. */
export type ReadMessage =
  | { readonly kind: "message"; readonly message: object }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "gone" };

export function messageOf(body: RequestBody): ReadMessage {
  switch (body.kind) {
    case "bytes":
      return parseMessage(body.bytes);
    case "too_large":
      return TOO_LARGE;
    case "gone":
      return body;
  }
}

function parseMessage(bytes: Buffer): ReadMessage {
  let message: unknown;
  try {
    message = JSON.parse(isAscii(bytes) ? bytes.toString("latin1") : UTF8.decode(bytes));
  } catch {
    return refused(400, PARSE_ERROR, "Parse error: the request body is not valid JSON");
  }
  if (Array.isArray(message)) {
    // Left out of the protocol since 2025-06-18; in the SDK, one that cancels its own request would never be answered.
    return refused(400, INVALID_REQUEST, "Invalid Request: batches are not served; send one message per request");
  }
  if (typeof message !== "object" || message === null) {
    return refused(400, INVALID_REQUEST, "Invalid Request: the request body must be a JSON-RPC message");
  }
  if (isNestedDeeper(message, MESSAGE_DEPTH_MAX)) {
    return refused(
      400,
      INVALID_REQUEST,
      `Invalid Request: the message is nested deeper than ${MESSAGE_DEPTH_MAX} levels`,
    );
  }
  return { kind: "message", message };
}

const TOO_LARGE = refused(413, HTTP_ERROR, `Payload Too Large: a message has at most ${REQUEST_BODY_BYTES_MAX} bytes`);

function refused(status: number, code: number, message: string): ReadMessage {
  return { kind: "refused", refusal: { status, code, message } };
}
