import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { lostNumberIn } from "../domain/json-numbers.ts";
import { problemSentence } from "../domain/schema-problems.ts";
import { discardRest, readRequestBody, REQUEST_BODY_BYTES_MAX, unsupportedEncoding } from "../inbound/request-body.ts";
import { ApiError } from "./api-error.ts";

/** Skips a byte order mark, which some programs write. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** The body parsed by `schema`. An empty body counts as `{}`. Throws an `ApiError`. */
export async function readJsonBody<Schema extends z.ZodType>(
  request: IncomingMessage,
  schema: Schema,
): Promise<z.output<Schema>> {
  const bytes = await readBytes(request);
  const parsed = schema.safeParse(bytes.length === 0 ? {} : jsonOf(bytes, request.headers["content-type"]));
  if (parsed.success) return parsed.data;
  throw new ApiError("invalid", problemSentence(parsed.error.issues, { whole: "The body", key: "member" }));
}

/** The body, which may be any JSON. Throws an `ApiError`. */
export async function readAnyJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) throw new ApiError("invalid", "The body is empty; send JSON, which may be null.");
  return jsonOf(bytes, request.headers["content-type"]);
}

/** The bytes of the body. Throws an `ApiError` for a body that is too large, encoded or incomplete. */
export async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const body = await readRequestBody(request);
  if (body.kind === "bytes") return body.bytes;
  if (body.kind === "gone") throw new ApiError("invalid", "The body ended before it was complete; send it again.");
  discardRest(request);
  if (body.kind === "encoded") throw new ApiError("unsupported_media_type", unsupportedEncoding(body.encoding));
  throw new ApiError("too_large", `The body has more than ${REQUEST_BODY_BYTES_MAX} bytes; send less.`);
}

function jsonOf(bytes: Buffer, contentType = ""): unknown {
  if (!/^application\/([\w.-]+\+)?json *(;|$)/i.test(contentType))
    throw new ApiError("unsupported_media_type", "Send the body as JSON, with Content-Type: application/json.");
  const text = textOf(bytes);
  const value = parsedOf(text);
  const lost = lostNumberIn(text);
  if (lost === null) return value;
  throw new ApiError("invalid", `The number ${lost} cannot be kept as it is; send it as a string.`);
}

/** JSON is UTF-8 (RFC 8259, section 8.1), whatever charset the client names. A lenient decoder would replace other bytes without an error. */
function textOf(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new ApiError("invalid", "The body is not UTF-8; send the JSON in that encoding.");
  }
}

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError("invalid", "The body is not JSON; send JSON.");
  }
}
