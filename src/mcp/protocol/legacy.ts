import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { ServerNotification, ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import type { Accepts } from "./accept.ts";
import { answerBatch } from "./batch.ts";
import type { Call } from "./request.ts";
import type { Caller } from "./caller.ts";
import { principalOfCaller } from "./caller.ts";
import { idOf } from "./message.ts";
import type { Methods } from "./methods.ts";
import { answerFastPath } from "./fast-path.ts";
import type { FastPathMessage } from "./fast-path.ts";
import { isStream, writeStreamHead } from "./stream-head.ts";
import { writeJson } from "./write-json.ts";

export interface EraNeeds {
  readonly methods: Methods;
  readonly serverInfo: { readonly name: string; readonly version: string };
  /** What a model reads about the server. */
  readonly instructions: string;
  /** Aborts when this server is about to stop. */
  readonly closing: AbortSignal;
}

/** What is known of a request beside its message. */
export interface LegacyContext {
  readonly request: Request;
  readonly caller: Caller;
  readonly accepts: Accepts;
}

export interface LegacyRequest extends LegacyContext {
  readonly message: object;
}

export interface Legacy {
  /** Answers one message of a client that speaks 2025-11-25 or older. Resolves when the answer is written. */
  serve(asked: LegacyRequest, res: ServerResponse): Promise<void>;
  /** The same for the messages of a batch, all in one JSON text. */
  serveBatch(messages: readonly unknown[], context: LegacyContext, res: ServerResponse): Promise<void>;
  /** The same for those that need no more than an answer. */
  serveFastPath(request: FastPathMessage, principal: string, res: ServerResponse): Promise<void>;
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

  /** Answers by a server of its own, which is closed when the client goes away: that ends what it asked for. */
  async function withServer(
    { request, caller, message }: LegacyRequest,
    gone: Promise<null>,
    enableJsonResponse: boolean,
    write: (response: Response, server: Server) => Promise<void>,
  ): Promise<void> {
    const server = createServer();
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse });
    await server.connect(transport);
    try {
      const answered = transport.handleRequest(request, { parsedBody: message, authInfo: caller });
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
    async serve(asked, res) {
      const { message, accepts } = asked;
      await withServer(asked, whenGone(res), !isStreamed(methods, message, accepts), async (response, server) => {
        if (isStream(response.headers.get("content-type"))) return writeStream(response, server, res);
        writeJson(res, response.status, await textOf(response, message), Object.fromEntries(response.headers));
      });
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
    serveFastPath: (request, principal, res) => answerFastPath(request, res, { methods, principal, closing }),
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

/** A refusal by the SDK's transport never has the id of the message. */
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
