import { toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeMcpRequestHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, Server } from "@modelcontextprotocol/server";
import type { Announce } from "../service/announcements.ts";
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
export function createModern({ tools, serverInfo, announce }: EraNeeds & { readonly announce: Announce }): Modern {
  function createServer(): Server {
    const server = new Server(serverInfo, { capabilities: { tools: {} }, instructions: INSTRUCTIONS });
    server.setRequestHandler("tools/list", () => ({ tools: tools.listings }));
    server.setRequestHandler("tools/call", ({ params }, { http }) =>
      tools.call(principalOfCaller(http?.authInfo), params),
    );
    return server;
  }

  const handler = createMcpHandler(createServer, { legacy: "reject" });
  const serve = toNodeHandler(handler, {
    onerror: (error) => announce({ kind: "internal.failed", where: "mcp", error }),
  });
  return { serve, close: () => handler.close() };
}
