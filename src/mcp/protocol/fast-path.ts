/**
 * The requests that are nearly all of the traffic: a client of the older era asks for a tool, and nothing about it is out of the
 * ordinary. They are answered without the SDK, which would make and parse more for each of them than all the rest of us.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/sdk/types.js";
import { acceptedBy } from "./accept.ts";
import type { Call } from "./request.ts";
import { RpcError } from "../errors.ts";
import type { Methods } from "./methods.ts";
import { StructuredResult } from "../tools/define-tool.ts";
import { writeJson } from "./write-json.ts";

/** Answered in JSON, without a look at anything but its id, method and params. */
export interface FastPathMessage {
  readonly jsonrpc: "2.0";
  readonly id: string | number;
  readonly method: "tools/call" | "tools/list";
  readonly params?: { readonly name?: unknown; readonly arguments?: unknown };
}

const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;
/** What only clients of the newer era send. */
const NEWER_HEADERS = ["mcp-method", "mcp-name"];

/**
 * Whether a message is such a request. Everything that is not quite what it should be (a header, a version, a `_meta`, another key) is
 * left to the SDK's own transport, whose checks and refusals thus stay the only ones.
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
    NEWER_HEADERS.every((name) => headers[name] === undefined)
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

/** Whether what was found is all there is: nothing in JSON is undefined. */
function hasNoOtherKeys(value: object, found: readonly unknown[]): boolean {
  let count = 0;
  for (const one of found) if (one !== undefined) count++;
  return Object.keys(value).length === count;
}

interface Answering {
  readonly methods: Pick<Methods, "call">;
  /** Whose request it is. */
  readonly principal: string;
  readonly closing: AbortSignal;
}

/** Writes the JSON-RPC response, in the SDK's order of keys. Resolves when it is written. */
export async function answerFastPath(
  request: FastPathMessage,
  res: ServerResponse,
  answering: Answering,
): Promise<void> {
  const { id, method } = request;
  let response: string;
  try {
    const result = await answering.methods.call(method, new FastPathRequest(request, res, answering));
    const written = result instanceof StructuredResult ? result.inJson() : JSON.stringify(result);
    response = `{"result":${written},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { code, message, data } = error;
    response = JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, ...(data !== undefined && { data }) } });
  }
  writeJson(res, 200, response);
}

/** A class for its getter, which a literal would define anew for each request. */
class FastPathRequest implements Call {
  readonly era = "legacy";
  readonly progressToken = null;
  readonly id: FastPathMessage["id"];
  readonly params: FastPathMessage["params"];
  readonly principal: string;
  readonly closing: AbortSignal;
  readonly #res: ServerResponse;
  #gone: AbortController | null = null;

  constructor({ id, params }: FastPathMessage, res: ServerResponse, { principal, closing }: Answering) {
    this.id = id;
    this.params = params;
    this.principal = principal;
    this.closing = closing;
    this.#res = res;
  }

  /** Made for those who ask, who are few: it costs as much as reading the request. */
  get signal(): AbortSignal {
    this.#gone ??= abortedWhenClosed(this.#res);
    return this.#gone.signal;
  }

  declares(): boolean {
    return false;
  }

  /** It has nowhere to go: the answer is one JSON text. */
  notify(): Promise<void> {
    return Promise.resolve();
  }
}

function abortedWhenClosed(res: ServerResponse): AbortController {
  const gone = new AbortController();
  if (res.closed) gone.abort();
  else res.once("close", () => gone.abort());
  return gone;
}
