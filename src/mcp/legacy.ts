import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { ServerNotification, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import type { Call } from "./call.ts";
import type { Caller } from "./caller.ts";
import { principalOfCaller } from "./caller.ts";
import type { Methods } from "./methods.ts";
import { answerPlain } from "./plain-requests.ts";
import type { PlainRequest } from "./plain-requests.ts";
import { writeJson } from "./write-json.ts";

export interface EraNeeds {
  readonly methods: Methods;
  readonly serverInfo: { readonly name: string; readonly version: string };
  /** What a model reads about the server. */
  readonly instructions: string;
  /** Aborts when this server is about to stop. */
  readonly closing: AbortSignal;
}

export interface LegacyRequest {
  readonly request: Request;
  readonly message: object;
  readonly caller: Caller;
}

export interface Legacy {
  /** Answers one message of a client that speaks 2025-11-25 or older. Resolves when the answer is written. */
  serve(asked: LegacyRequest, res: ServerResponse): Promise<void>;
  /** The same for those that need no more than an answer. */
  servePlain(request: PlainRequest, principal: string, res: ServerResponse): Promise<void>;
  /** Ends the streams under way. May be called twice. */
  close(): Promise<void>;
}

/**
 * Without sessions: plain requests need no Server; any other has one of its own and a transport, since v1's can be connected only once.
 * They are cheap as long as they share the validator.
 */
export function createLegacy({ methods, serverInfo, instructions, closing }: EraNeeds): Legacy {
  const jsonSchemaValidator = new AjvJsonSchemaValidator();
  const streaming = new Set<Server>();

  function createServer(): Server {
    const capabilities = { tools: {}, ...methods.capabilities("legacy") };
    const server = new TasklessServer(serverInfo, { capabilities, instructions, jsonSchemaValidator });
    // Not setRequestHandler: that parses the request first and answers a malformed one with -32603 and zod's own words.
    server.fallbackRequestHandler = ({ method, params }, extra) => methods.call(method, callOf(params, extra, closing));
    return server;
  }

  async function serveStream(server: Server, response: Response, res: ServerResponse): Promise<void> {
    streaming.add(server);
    // A client that goes away ends what it asked for.
    const gone = new AbortController();
    void once(res, "close", { signal: gone.signal }).then(
      () => server.close(),
      () => undefined,
    );
    try {
      res.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body !== null) await pipeline(Readable.fromWeb(response.body), res);
    } catch (error) {
      if (!res.destroyed) throw error;
    } finally {
      gone.abort();
      streaming.delete(server);
    }
  }

  return {
    async serve({ request, message, caller }, res) {
      const server = createServer();
      const enableJsonResponse = !mayStream(methods, message);
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse });
      await server.connect(transport);
      try {
        const response = await transport.handleRequest(request, { parsedBody: message, authInfo: caller });
        if (response.headers.get("content-type") === "text/event-stream") {
          await serveStream(server, response, res);
          return;
        }
        writeJson(res, response.status, await response.text(), Object.fromEntries(response.headers));
      } finally {
        await server.close();
      }
    },
    servePlain: (request, principal, res) => answerPlain(request, res, { methods, principal, closing }),
    async close() {
      await Promise.all([...streaming].map((server) => server.close()));
    },
  };
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

function mayStream(methods: Methods, message: object): boolean {
  const { method, params } = message as { method?: unknown; params?: { _meta?: { progressToken?: unknown } } };
  return typeof method === "string" && methods.streams(method, params?._meta?.progressToken);
}

function callOf(params: unknown, extra: Extra, closing: AbortSignal): Call {
  const { authInfo, requestId, signal, _meta } = extra;
  return {
    era: "legacy",
    id: requestId,
    principal: principalOfCaller(authInfo),
    params,
    progressToken: _meta?.progressToken ?? null,
    declares: () => false,
    notify: (method, given) => extra.sendNotification({ method, params: given } as ServerNotification),
    signal,
    closing,
  };
}

/** The SDK refuses a call that asks for an MCP task; 2025-11-25 wants it served as if it had not asked ("Tasks", capabilities). */
class TasklessServer extends Server {
  protected override assertTaskHandlerCapability(): void {}
}
