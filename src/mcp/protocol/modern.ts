import type { ServerResponse } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike, NodeServerResponseLike } from "@modelcontextprotocol/node";
import { CLIENT_CAPABILITIES_META_KEY, createMcpHandler, Server } from "@modelcontextprotocol/server";
import type { McpRequestContext, ServerContext } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Emit } from "../../service/ports/telemetry.ts";
import { acceptedBy } from "./accept.ts";
import type { McpRequest } from "./mcp-request.ts";
import { outputIn, principalIn } from "./auth-info.ts";
import type { ProtocolParts } from "./legacy.ts";
import { TOOL_METHODS } from "./methods.ts";
import { isStream, writeStreamHead } from "./write-response.ts";
import { isListenToTasks, LISTEN, LISTEN_TO_TASKS } from "../tasks/listen.ts";

export interface Modern {
  /** Answers one message of a client that speaks 2026-07-28. `req.auth`: its AuthInfo. */
  serve(req: NodeIncomingMessageLike, res: ServerResponse, message: object): Promise<void>;
  /** Ends the requests under way. */
  close(): Promise<void>;
}

/** The handler of 2026-07-28, by the v2 SDK. The endpoint sends it no messages of older versions. */
export function createModern({
  methods,
  serverInfo,
  instructions,
  stopping,
  emit,
}: ProtocolParts & { readonly emit: Emit }): Modern {
  function createServer({ requestInfo }: McpRequestContext): Server {
    const capabilities = { tools: {}, ...methods.capabilities("2026-07-28") };
    const { stream } = acceptedBy(requestInfo?.headers.get("accept") ?? undefined);
    const server = new Server(serverInfo, { capabilities, instructions });
    // Not setRequestHandler: it would validate params and results of the core's methods with the SDK's own texts. An unknown method
    // gets no handler: a handler's -32601 would be sent with HTTP 200 instead of 404. The SDK has compared the header with the message
    // before.
    if (TOOL_METHODS.includes(requestInfo?.headers.get("mcp-method") ?? "")) {
      server.fallbackRequestHandler = ({ method, params }, context) =>
        methods.answer(method, withoutNotificationsUnless(stream, requestOf(params, context, stopping)));
    }
    // Older versions of the core had methods of these names, so the SDK passes them on only when they are registered.
    for (const name of methods.names("2026-07-28"))
      server.setRequestHandler(name, { params: z.unknown() }, (params, context) =>
        methods.answer(name, requestOf(params, context, stopping)),
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
/** For clients that accept no JSON. */
const ONLY_STREAMS = { ...REJECT, responseMode: "sse" } as const;

function headerOf({ headers }: NodeIncomingMessageLike, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.join();
}

/** A notification would turn the answer into a stream, which a client that accepts JSON only cannot read. */
function withoutNotificationsUnless(acceptsStream: boolean, request: McpRequest): McpRequest {
  return acceptsStream ? request : { ...request, notify: () => Promise.resolve() };
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

function requestOf(params: unknown, { mcpReq, http }: ServerContext, stopping: AbortSignal): McpRequest {
  const declared = declaredExtensions(mcpReq.envelope);
  const output = outputIn(http?.authInfo);
  return {
    protocolVersion: "2026-07-28",
    id: mcpReq.id,
    principal: principalIn(http?.authInfo),
    params,
    progressToken: mcpReq._meta?.progressToken ?? null,
    declares: (extension) => Object.hasOwn(declared, extension),
    async notify(method, given) {
      await mcpReq.notify({ method, params: given });
      await output.untilRead();
    },
    signal: () => mcpReq.signal,
    stopping,
  };
}

/** The envelope holds what the client sent. The SDK has checked no more than that its capabilities are an object. */
function declaredExtensions(envelope: object | undefined): object {
  const capabilities = new Map<string, unknown>(Object.entries(envelope ?? {})).get(CLIENT_CAPABILITIES_META_KEY);
  if (typeof capabilities !== "object" || capabilities === null || !("extensions" in capabilities)) return {};
  const { extensions } = capabilities;
  return typeof extensions === "object" && extensions !== null ? extensions : {};
}

/** The SDK compares the header with the method. A header with another method stays wrong. */
function renamed(req: NodeIncomingMessageLike): NodeIncomingMessageLike {
  if (req.headers["mcp-method"] !== LISTEN) return req;
  return { ...req, headers: { ...req.headers, "mcp-method": LISTEN_TO_TASKS } };
}
