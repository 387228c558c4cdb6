import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeMcpRequestHandler } from "@modelcontextprotocol/node";
import { CLIENT_CAPABILITIES_META_KEY, createMcpHandler, Server } from "@modelcontextprotocol/server";
import type { McpRequestContext, ServerContext } from "@modelcontextprotocol/server";
import type { Announce } from "../service/announcements.ts";
import type { Call } from "./call.ts";
import { principalOfCaller } from "./caller.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import type { EraNeeds } from "./legacy.ts";

export interface Modern {
  /** Answers one message of a client that speaks 2026-07-28; the request's `auth` is the caller. */
  readonly serve: NodeMcpRequestHandler;
  /** Ends the exchanges under way. */
  close(): Promise<void>;
}

/** `reject`: messages of the older era are never meant to come here; the door has looked. */
export function createModern({ methods, serverInfo, announce }: EraNeeds & { readonly announce: Announce }): Modern {
  function createServer({ requestInfo }: McpRequestContext): Server {
    const capabilities = { tools: {}, ...methods.capabilities };
    const server = new Server(serverInfo, { capabilities, instructions: INSTRUCTIONS });
    // All but the handshake. Not setRequestHandler: it would judge params and results of the core's methods in its own words.
    // A method that is not there stays without a handler, since a handler's -32601 would go out with HTTP 200 instead of 404. The
    // header has been held against the message before this is called.
    if (methods.has(requestInfo?.headers.get("mcp-method") ?? "")) {
      server.fallbackRequestHandler = ({ method, params }, context) => methods.call(method, callOf(params, context));
    }
    return server;
  }

  const handler = createMcpHandler(createServer, { legacy: "reject" });
  const serve = toNodeHandler(handler, {
    onerror: (error) => announce({ kind: "internal.failed", where: "mcp", error }),
  });
  return { serve, close: () => handler.close() };
}

function callOf(params: unknown, { mcpReq, http }: ServerContext): Call {
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
  };
}

/** The envelope holds what the client sent: the SDK has judged its capabilities to be an object, and no more. */
function declaredExtensions(envelope: object | undefined): object {
  const capabilities = new Map<string, unknown>(Object.entries(envelope ?? {})).get(CLIENT_CAPABILITIES_META_KEY);
  if (typeof capabilities !== "object" || capabilities === null || !("extensions" in capabilities)) return {};
  const { extensions } = capabilities;
  return typeof extensions === "object" && extensions !== null ? extensions : {};
}
