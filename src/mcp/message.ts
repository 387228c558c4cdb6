import type { IncomingMessage } from "node:http";
import { JSON_DEPTH_MAX } from "../domain/json.ts";
import { HTTP_ERROR, INVALID_REQUEST, PARSE_ERROR } from "./errors.ts";
import type { Refusal } from "./refusal.ts";

export const MESSAGE_BYTES_MAX = 1024 * 1024;
/** What the domain allows a task's input, and the message around it. Deeper ones would exhaust the stack of whoever writes them out. */
const MESSAGE_DEPTH_MAX = JSON_DEPTH_MAX + 10;

/** One JSON-RPC message, or at least a JSON object that claims to be one; `gone`: the client went away while sending. */
export type ReadMessage =
  | { readonly kind: "message"; readonly message: object }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "gone" };

export async function readMessage(req: IncomingMessage): Promise<ReadMessage> {
  if (Number(req.headers["content-length"] ?? 0) > MESSAGE_BYTES_MAX) return TOO_LARGE;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Not destroyed on leaving the loop: the answer still has to go out on this connection.
    const body: AsyncIterable<Buffer> = req.iterator({ destroyOnReturn: false });
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > MESSAGE_BYTES_MAX) return TOO_LARGE;
      chunks.push(chunk);
    }
  } catch {
    return { kind: "gone" };
  }
  return parseMessage(Buffer.concat(chunks));
}

function parseMessage(bytes: Buffer): ReadMessage {
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
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

function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isNestedDeeper(item, levels - 1));
}

const TOO_LARGE = refused(413, HTTP_ERROR, `Payload Too Large: a message has at most ${MESSAGE_BYTES_MAX} bytes`);

function refused(status: number, code: number, message: string): ReadMessage {
  return { kind: "refused", refusal: { status, code, message } };
}
