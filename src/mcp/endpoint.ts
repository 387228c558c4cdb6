import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { toWebRequest } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { discardRest, readRequestBody } from "../runtime/request-body.ts";
import { acceptedBy, BOTH_TYPES } from "./protocol/accept.ts";
import { refusedBatch } from "./protocol/batch.ts";
import { callerOf } from "./protocol/caller.ts";
import type { Caller } from "./protocol/caller.ts";
import { createRequestGuard } from "./request-guard.ts";
import type { RequestGuardNeeds } from "./request-guard.ts";
import { isOfLegacyEra } from "./protocol/era.ts";
import { INTERNAL_ERROR, internalError } from "./errors.ts";
import { createEventsMethods } from "./events/methods.ts";
import type { EventsMethodsNeeds } from "./events/methods.ts";
import { instructionsFor } from "./instructions.ts";
import { createLegacy } from "./protocol/legacy.ts";
import { idOf, messageOf } from "./protocol/message.ts";
import type { MessageId, ReadMessage } from "./protocol/message.ts";
import { createMethods } from "./protocol/methods.ts";
import { createModern } from "./protocol/modern.ts";
import { isFastPath } from "./protocol/fast-path.ts";
import { refuse } from "./protocol/http-error.ts";
import type { Refusal } from "./protocol/http-error.ts";
import { createLegacyTaskMethods } from "./tasks/legacy-methods.ts";
import { createModernTaskMethods } from "./tasks/modern-methods.ts";
import { createTools } from "./tools/registry.ts";
import type { ToolsNeeds } from "./tools/registry.ts";

export interface McpNeeds extends ToolsNeeds, RequestGuardNeeds, EventsMethodsNeeds {
  readonly serverInfo: { readonly name: string; readonly version: string };
}

export interface Mcp {
  /** Answers a request to the MCP endpoint, whatever its path; never rejects. Resolves when the answer is written. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  readonly toolNames: readonly string[];
  /** Lets requests that go on for long give their last answer now. May be called twice. */
  endStreams(): void;
  /** Ends what is under way. May be called twice. */
  close(): Promise<void>;
}

/** The MCP endpoint for both eras of the protocol, as a plain Node request handler. */
export function createMcp(needs: McpNeeds): Mcp {
  const { emit, serverInfo } = needs;
  const authenticate = createRequestGuard(needs);
  const tools = createTools(needs);
  const taskMethods = { ...needs, resultOf: tools.resultOf };
  const groups = [
    createModernTaskMethods(taskMethods),
    createLegacyTaskMethods(taskMethods),
    createEventsMethods(needs),
  ];
  const methods = createMethods({ tools, groups, emit });
  const closing = new AbortController();
  const instructions = instructionsFor(tools.names);
  const era = { methods, serverInfo, instructions, closing: closing.signal };
  const legacy = createLegacy(era);
  const modern = createModern({ ...era, emit });

  /** Here and below it no function is async that need not be: each costs as much as the parsing of a small message. */
  function answer(
    read: ReadMessage,
    principal: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> | null {
    if (read.kind === "gone") return null;
    if (read.kind === "refused") return refuse(res, read.refusal, read.id);
    if (read.kind === "batch") return serveBatch(read.messages, principal, req, res);
    const { message } = read;
    if (isFastPath(req.headers, message)) return legacy.serveFastPath(message, principal, res);
    return serve(forwardedRequest(req, callerOf(principal)), res, message);
  }

  async function serve(req: ForwardedRequest, res: ServerResponse, message: object): Promise<void> {
    const request = await toWebRequest(acceptingBoth(req), message);
    if (!(await isOfLegacyEra(request, message))) return modern.serve(req, res, message);
    await legacy.serve({ request, message, caller: req.auth, accepts: acceptedBy(req.headers.accept) }, res);
  }

  async function serveBatch(
    messages: readonly unknown[],
    principal: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> {
    const refusal = refusedBatch(req.headers, messages);
    if (refusal !== null) return void refuse(res, refusal);
    const caller = callerOf(principal);
    const request = await toWebRequest(acceptingBoth(forwardedRequest(req, caller)), messages);
    await legacy.serveBatch(messages, { request, caller, accepts: acceptedBy(req.headers.accept) }, res);
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let isRead = false;
    let id: MessageId = null;
    try {
      const principal = authenticate(req, res);
      if (principal === null) return;
      const body = await readRequestBody(req);
      isRead = body.kind === "bytes";
      const read = messageOf(body);
      if (read.kind === "message") id = idOf(read.message);
      await answer(read, principal, req, res);
    } catch (error) {
      emit({ kind: "internal.failed", where: "mcp", error });
      if (res.headersSent) res.destroy();
      else refuse(res, INTERNAL, id);
    } finally {
      if (!isRead) discardRest(req);
    }
  }

  return {
    handle,
    toolNames: tools.names,
    endStreams: () => closing.abort("the server stops"),
    async close() {
      await Promise.all([legacy.close(), modern.close()]);
    },
  };
}

const INTERNAL: Refusal = { status: 500, code: INTERNAL_ERROR, message: internalError().message };

/** What the SDKs need of a request whose body has been read. */
interface ForwardedRequest extends NodeIncomingMessageLike {
  readonly auth: Caller;
  readonly headers: IncomingHttpHeaders;
}

/** Host and path have been judged; the SDKs would make a URL of them, which fails for some that are harmless. */
function forwardedRequest(req: IncomingMessage, auth: Caller): ForwardedRequest {
  return {
    method: "POST",
    url: "/mcp",
    headers: { ...req.headers, host: "localhost" },
    auth,
    [Symbol.asyncIterator]: () => req[Symbol.asyncIterator](),
  };
}

/** What a client accepts is judged here: the older era's SDK refuses all that does not name both types, letter by letter. */
function acceptingBoth(req: ForwardedRequest): ForwardedRequest {
  return { ...req, headers: { ...req.headers, accept: BOTH_TYPES } };
}
