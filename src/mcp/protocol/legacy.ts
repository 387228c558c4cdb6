import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { ServerNotification, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Accepts } from "./accept.ts";
import { answerBatch } from "./batch.ts";
import type { McpRequest } from "./mcp-request.ts";
import { outputIn, principalIn } from "./auth-info.ts";
import { idOf } from "./message.ts";
import type { Methods } from "./methods.ts";
import { isStream, writeJson, writeStreamHead } from "./write-response.ts";

export interface ProtocolParts {
  readonly methods: Methods;
  readonly serverInfo: { readonly name: string; readonly version: string };
  /** What a model reads about the server. */
  readonly instructions: string;
  /** Aborts when this server is about to stop. */
  readonly stopping: AbortSignal;
}

/** A request without its message. */
export interface LegacyContext {
  readonly request: Request;
  readonly authInfo: AuthInfo;
  readonly accepts: Accepts;
}

export interface LegacyRequest extends LegacyContext {
  readonly message: object;
}

export interface Legacy {
  /** Answers one message of a client that speaks 2025-11-25 or older. Resolves when the answer is written. */
  serve(legacyRequest: LegacyRequest, res: ServerResponse): Promise<void>;
  /** Answers the messages of a batch in one JSON text. */
  serveBatch(messages: readonly unknown[], context: LegacyContext, res: ServerResponse): Promise<void>;
  /** Ends the streams under way. May be called twice. */
  close(): Promise<void>;
}

/**
 * The handler of 2025-11-25 and older, by the v1 SDK. Without sessions: each request gets a Server and a transport, since those of v1 can be
 * connected only once. They are cheap as long as they share the validator.
 */
export function createLegacy({ methods, serverInfo, instructions, stopping }: ProtocolParts): Legacy {
  const jsonSchemaValidator = new AjvJsonSchemaValidator();
  const streaming = new Set<Server>();

  function createServer(): Server {
    const capabilities = { tools: {}, ...methods.capabilities("2025-11-25") };
    const server = new TasklessServer(serverInfo, { capabilities, instructions, jsonSchemaValidator });
    // Not setRequestHandler: it parses the request first and answers a malformed one with -32603 and zod's own text.
    server.fallbackRequestHandler = ({ method, params }, extra) =>
      methods.answer(method, requestOf(params, extra, stopping));
    return server;
  }

  /** The server is closed when the client disconnects, which aborts the request. */
  async function withServer(
    { request, authInfo, message }: LegacyRequest,
    gone: Promise<null>,
    enableJsonResponse: boolean,
    write: (response: Response, server: Server) => Promise<void>,
  ): Promise<void> {
    const server = createServer();
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse });
    await server.connect(transport);
    try {
      const answered = transport.handleRequest(request, { parsedBody: message, authInfo });
      // In JSON mode the SDK never answers once its server is closed.
      const response = await Promise.race([answered, gone]);
      if (response !== null) await write(response, server);
    } finally {
      await server.close();
    }
  }

  async function writeStream(response: Response, server: Server, res: ServerResponse): Promise<void> {
    streaming.add(server);
    const leave = (): void => void server.close();
    res.once("close", leave);
    try {
      writeStreamHead(res, response.status, Object.fromEntries(response.headers));
      if (response.body !== null) await pipeline(Readable.fromWeb(response.body), res);
    } catch (error) {
      if (!res.destroyed) throw error;
    } finally {
      res.off("close", leave);
      streaming.delete(server);
    }
  }

  return {
    async serve(legacyRequest, res) {
      const { message, accepts } = legacyRequest;
      await withServer(
        legacyRequest,
        whenGone(res),
        !isStreamed(methods, message, accepts),
        async (response, server) => {
          if (isStream(response.headers.get("content-type"))) return writeStream(response, server, res);
          writeJson(res, response.status, await textOf(response, message), Object.fromEntries(response.headers));
        },
      );
    },
    async serveBatch(messages, context, res) {
      const gone = whenGone(res);
      const answerOne = async (message: object): Promise<string> => {
        let text = "";
        await withServer({ ...context, message }, gone, true, async (response) => {
          text = await textOf(response, message);
        });
        return text;
      };
      await answerBatch(messages, res, { methods, accepts: context.accepts, answerOne });
    },
    async close() {
      await Promise.all([...streaming].map((server) => server.close()));
    },
  };
}

function whenGone(res: ServerResponse): Promise<null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  if (res.closed) resolve(null);
  else res.once("close", () => resolve(null));
  return promise;
}

/** The errors of the SDK's transport never have the id of the message. */
async function textOf(response: Response, message: object): Promise<string> {
  const text = await response.text();
  const id = idOf(message);
  if (response.ok || id === null) return text;
  return JSON.stringify({ ...(JSON.parse(text) as object), id });
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

function isStreamed(methods: Methods, message: object, accepts: Accepts): boolean {
  const { method, params } = message as { method?: unknown; params?: { _meta?: { progressToken?: unknown } } };
  const streams = typeof method === "string" ? methods.streams(method, params?._meta?.progressToken) : "never";
  if (streams === "always") return true;
  return accepts.stream && (streams === "if_accepted" || !accepts.json);
}

function requestOf(params: unknown, extra: Extra, stopping: AbortSignal): McpRequest {
  const { authInfo, requestId, signal, _meta } = extra;
  const output = outputIn(authInfo);
  return {
    protocolVersion: "2025-11-25",
    id: requestId,
    principal: principalIn(authInfo),
    params,
    progressToken: _meta?.progressToken ?? null,
    declares: () => false,
    async notify(method, given) {
      await extra.sendNotification({ method, params: given } as ServerNotification);
      await output.untilRead();
    },
    signal: () => signal,
    stopping,
  };
}

/** The SDK refuses a call that asks for an MCP task. 2025-11-25 wants it answered as a call without task ("Tasks", capabilities). */
class TasklessServer extends Server {
  protected override assertTaskHandlerCapability(): void {}
}
