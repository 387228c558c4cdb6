/**
 * Nearly all requests: a client of 2025-11-25 or older calls or lists tools, and nothing else is in the message. They are answered without
 * the SDK, which would make and parse more for each of them than everything else here.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/sdk/types.js";
import { acceptedBy } from "./accept.ts";
import type { McpRequest } from "./mcp-request.ts";
import { ProtocolError } from "../errors.ts";
import type { Methods } from "./methods.ts";
import { StructuredResult } from "../tools/define-tool.ts";
import type { Tools } from "../tools/registry.ts";
import { writeJson } from "./write-response.ts";

/** Only its id, method and params matter, and its answer is JSON. */
export interface FastPathMessage {
  readonly jsonrpc: "2.0";
  readonly id: string | number;
  readonly method: "tools/call" | "tools/list";
  readonly params?: { readonly name?: unknown; readonly arguments?: unknown };
}

const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;
/** Only clients of 2026-07-28 send them. */
const MODERN_HEADERS = ["mcp-method", "mcp-name"];

/**
 * Whether a message may take the fast path. A message with anything unusual (a header, a version, a `_meta`, another key) goes to the
 * SDK's own transport, so that its checks and errors stay the only ones.
 */
export function isFastPath(headers: IncomingHttpHeaders, message: object): message is FastPathMessage {
  return hasPlainHeaders(headers) && isPlainMessage(message as Readonly<Record<string, unknown>>);
}

function hasPlainHeaders(headers: IncomingHttpHeaders): boolean {
  const { accept, "content-type": contentType = "", "mcp-protocol-version": version } = headers;
  return (
    acceptedBy(accept).json &&
    JSON_TYPE.test(contentType) &&
    (version === undefined || SUPPORTED_PROTOCOL_VERSIONS.some((known) => known === version)) &&
    MODERN_HEADERS.every((name) => headers[name] === undefined)
  );
}

function isPlainMessage(message: Readonly<Record<string, unknown>>): boolean {
  const { jsonrpc, id, method, params } = message;
  return (
    jsonrpc === "2.0" &&
    (typeof id === "string" || Number.isSafeInteger(id)) &&
    (method === "tools/call" || method === "tools/list") &&
    (params === undefined || isPlainParams(params)) &&
    hasNoOtherKeys(message, [jsonrpc, id, method, params])
  );
}

function isPlainParams(params: unknown): boolean {
  if (typeof params !== "object" || params === null || Array.isArray(params)) return false;
  const { name, arguments: given } = params as Readonly<Record<string, unknown>>;
  return hasNoOtherKeys(params, [name, given]);
}

/** Whether these are the values of all keys: no value in JSON is undefined. */
function hasNoOtherKeys(value: object, found: readonly unknown[]): boolean {
  let count = 0;
  for (const one of found) if (one !== undefined) count++;
  return Object.keys(value).length === count;
}

export interface FastPathParts {
  readonly tools: Pick<Tools, "call">;
  readonly methods: Pick<Methods, "answer">;
  readonly stopping: AbortSignal;
}

/** Writes the JSON-RPC response, in the SDK's order of keys. Resolves when it is written. */
export async function answerFastPath(
  message: FastPathMessage,
  principal: string,
  res: ServerResponse,
  { tools, methods, stopping }: FastPathParts,
): Promise<void> {
  const { id, method } = message;
  const request = requestOf(message, principal, res, stopping);
  let response: string;
  try {
    const result = await (method === "tools/call" ? tools.call(request) : methods.answer(method, request));
    const written = result instanceof StructuredResult ? result.inJson() : JSON.stringify(result);
    response = `{"result":${written},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const { code, message: text, data } = error;
    const sent = { code, message: text, ...(data !== undefined && { data }) };
    response = JSON.stringify({ jsonrpc: "2.0", id, error: sent });
  }
  writeJson(res, 200, response);
}

function requestOf(
  { id, params }: FastPathMessage,
  principal: string,
  res: ServerResponse,
  stopping: AbortSignal,
): McpRequest {
  let gone: AbortSignal | undefined;
  return {
    protocolVersion: "2025-11-25",
    id,
    principal,
    params,
    progressToken: null,
    declares: declaresNothing,
    notify: dropNotification,
    signal: () => (gone ??= abortedOnClose(res)),
    stopping,
  };
}

function declaresNothing(): boolean {
  return false;
}

/** The answer is one JSON text, which has no place for a notification. */
function dropNotification(): Promise<void> {
  return Promise.resolve();
}

function abortedOnClose(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (res.closed) gone.abort();
  else res.once("close", () => gone.abort());
  return gone.signal;
}
