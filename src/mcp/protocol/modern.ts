import type { ServerResponse } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike, NodeServerResponseLike } from "@modelcontextprotocol/node";
import { CLIENT_CAPABILITIES_META_KEY, createMcpHandler, Server } from "@modelcontextprotocol/server";
import type { McpRequestContext, ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Emit } from "../../service/ports/telemetry.ts";
import { acceptedBy } from "./accept.ts";
import type { Call } from "./request.ts";
import { principalOfCaller } from "./caller.ts";
import type { EraNeeds } from "./legacy.ts";
import { TOOL_METHODS } from "./methods.ts";
import { isStream, writeStreamHead } from "./stream-head.ts";
import { isListenToTasks, LISTEN, LISTEN_TO_TASKS } from "../tasks/listen.ts";

export interface Modern {
  /** Answers one message of a client that speaks 2026-07-28; the request's `auth` is the caller. */
  serve(req: NodeIncomingMessageLike, res: ServerResponse, message: object): Promise<void>;
  /** Ends the exchanges under way. */
  close(): Promise<void>;
}

/** `reject`: messages of the older era are never meant to come here; the door has looked. */
export function createModern({
  methods,
  serverInfo,
  instructions,
  closing,
  emit,
}: EraNeeds & { readonly emit: Emit }): Modern {
  function createServer({ requestInfo }: McpRequestContext): Server {
    const capabilities = { tools: {}, ...methods.capabilities("modern") };
    const { stream } = acceptedBy(requestInfo?.headers.get("accept") ?? undefined);
    const server = new Server(serverInfo, { capabilities, instructions });
    // Not setRequestHandler: it would judge params and results of the core's methods in its own words. A method that is not there stays
    // without a handler, since a handler's -32601 would go out with HTTP 200 instead of 404. The header has been held against the
    // message before this is called.
    if (TOOL_METHODS.includes(requestInfo?.headers.get("mcp-method") ?? "")) {
      server.fallbackRequestHandler = ({ method, params }, context) =>
        methods.call(method, quietUnless(stream, callOf(params, context, closing)));
    }
    // The core once had methods of these names, so the SDK knows them only when they are registered.
    for (const name of methods.names("modern"))
      server.setRequestHandler(name, { params: z.unknown() }, (params, context) =>
        methods.call(name, callOf(params, context, closing)),
      );
    return server;
  }

  const onerror = (error: Error): void => emit({ kind: "internal.failed", where: "mcp", error });
  const handlers = { auto: createMcpHandler(createServer, REJECT), sse: createMcpHandler(createServer, ONLY_STREAMS) };
  const serving = { auto: toNodeHandler(handlers.auto, { onerror }), sse: toNodeHandler(handlers.sse, { onerror }) };
  return {
    serve(req, res, message) {
      const serve = acceptedBy(headerOf(req, "accept")).json ? serving.auto : serving.sse;
      if (!isListenToTasks(message)) return serve(req, withStreamHead(res), message);
      return serve(renamed(req), withStreamHead(res), { ...message, method: LISTEN_TO_TASKS });
    },
    async close() {
      await Promise.all([handlers.auto.close(), handlers.sse.close()]);
    },
  };
}

const REJECT = { legacy: "reject" } as const;
/** For clients that take no JSON. */
const ONLY_STREAMS = { ...REJECT, responseMode: "sse" } as const;

function headerOf({ headers }: NodeIncomingMessageLike, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join();
}

/** A notification would make a stream of the answer, also for a client that takes no stream. */
function quietUnless(takesStream: boolean, call: Call): Call {
  return takesStream ? call : { ...call, notify: () => Promise.resolve() };
}

function withStreamHead(res: ServerResponse): NodeServerResponseLike {
  return {
    writeHead: (status, headers = {}) =>
      isStream(headers["content-type"]) ? writeStreamHead(res, status, headers) : res.writeHead(status, headers),
    write: (chunk) => res.write(chunk),
    end: (chunk) => (chunk === undefined ? res.end() : res.end(chunk)),
    on: (event, listener) => res.on(event, listener),
    get destroyed() {
      return res.destroyed;
    },
  };
}

function callOf(params: unknown, { mcpReq, http }: ServerContext, closing: AbortSignal): Call {
  const declared = declaredExtensions(mcpReq.envelope);
  return {
    era: "modern",
    id: mcpReq.id,
    principal: principalOfCaller(http?.authInfo),
    params,
    progressToken: mcpReq._meta?.progressToken ?? null,
    declares: (extension) => Object.hasOwn(declared, extension),
    notify: (method, given) => mcpReq.notify({ method, params: given }),
    signal: mcpReq.signal,
    closing,
  };
}

/** The envelope holds what the client sent: the SDK has judged its capabilities to be an object, and no more. */
function declaredExtensions(envelope: object | undefined): object {
  const capabilities = new Map<string, unknown>(Object.entries(envelope ?? {})).get(CLIENT_CAPABILITIES_META_KEY);
  if (typeof capabilities !== "object" || capabilities === null || !("extensions" in capabilities)) return {};
  const { extensions } = capabilities;
  return typeof extensions === "object" && extensions !== null ? extensions : {};
}

/** The header that repeats the method, which the SDK compares; one that says something else stays wrong. */
function renamed(req: NodeIncomingMessageLike): NodeIncomingMessageLike {
  if (req.headers["mcp-method"] !== LISTEN) return req;
  return { ...req, headers: { ...req.headers, "mcp-method": LISTEN_TO_TASKS } };
}
