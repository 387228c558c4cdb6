/**
 * The requests that are nearly all of the traffic: a client of the older era asks for a tool, and nothing about it is out of the
 * ordinary. They share one Server: with a Server, a transport and two web Requests each, half as many were answered.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { Transport, TransportSendOptions } from "@modelcontextprotocol/sdk/shared/transport.js";
import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/sdk/types.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import type { Caller } from "./caller.ts";

/** Answered in JSON, by the older era's server, without a look at anything but its method and params. */
export interface PlainRequest {
  readonly jsonrpc: "2.0";
  readonly id: string | number;
  readonly method: "tools/call" | "tools/list";
  readonly params?: { readonly name?: unknown; readonly arguments?: unknown };
}

const METHODS: ReadonlySet<unknown> = new Set(["tools/call", "tools/list"]);
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;
/** What only clients of the newer era send. */
const NEWER_HEADERS = ["mcp-method", "mcp-name"];

/**
 * Whether a message is such a request. Everything that is not quite what it should be (a header, a version, a `_meta`, another key) is
 * left to the SDK's own transport, whose checks and refusals thus stay the only ones.
 */
export function isPlainRequest(headers: IncomingHttpHeaders, message: object): message is PlainRequest {
  return hasPlainHeaders(headers) && isPlainMessage(message as Readonly<Record<string, unknown>>);
}

function hasPlainHeaders(headers: IncomingHttpHeaders): boolean {
  const { accept = "", "content-type": contentType = "", "mcp-protocol-version": version } = headers;
  return (
    accept.includes("application/json") &&
    accept.includes("text/event-stream") &&
    JSON_TYPE.test(contentType) &&
    (version === undefined || SUPPORTED_PROTOCOL_VERSIONS.some((known) => known === version)) &&
    NEWER_HEADERS.every((name) => headers[name] === undefined)
  );
}

function isPlainMessage({ jsonrpc, id, method, params, ...others }: Readonly<Record<string, unknown>>): boolean {
  return (
    jsonrpc === "2.0" &&
    (typeof id === "string" || Number.isSafeInteger(id)) &&
    METHODS.has(method) &&
    (params === undefined || isPlainParams(params)) &&
    Object.keys(others).length === 0
  );
}

function isPlainParams(params: unknown): boolean {
  if (typeof params !== "object" || params === null || Array.isArray(params)) return false;
  return Object.keys(params).every((key) => key === "name" || key === "arguments");
}

export interface PlainRequests {
  /** Resolves with the JSON-RPC response. */
  answer(request: PlainRequest, caller: Caller): Promise<JSONRPCMessage>;
  /** The id that the client gave to a request that the server knows by this one. */
  clientIdOf(id: string | number): string | number;
}

interface Asked {
  readonly id: string | number;
  readonly resolve: (response: JSONRPCMessage) => void;
}

/** Connects `server`, for many clients at once: their ids may be the same ones, so each request gets a number of its own meanwhile. */
export async function connectPlainRequests(server: Server): Promise<PlainRequests> {
  const asked = new Map<string | number, Asked>();
  let count = 0;
  const transport: Transport = {
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    send(message: JSONRPCMessage, _options?: TransportSendOptions) {
      // A notification has nowhere to go: the answer is one JSON text.
      if ("id" in message && !("method" in message) && message.id !== undefined) settle(message.id, message);
      return Promise.resolve();
    },
  };
  function settle(number: string | number, message: JSONRPCMessage): void {
    const request = asked.get(number);
    asked.delete(number);
    request?.resolve({ ...message, id: request.id });
  }
  await server.connect(transport);

  return {
    answer(request, caller) {
      const { promise, resolve } = Promise.withResolvers<JSONRPCMessage>();
      const number = ++count;
      asked.set(number, { id: request.id, resolve });
      transport.onmessage?.({ ...request, id: number }, { authInfo: caller });
      return promise;
    },
    clientIdOf: (number) => asked.get(number)?.id ?? number,
  };
}
