import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { toWebRequest } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import type { AuthInfo } from "@modelcontextprotocol/server";
import { discardRest, readRequestBody } from "../inbound/request-body.ts";
import { createToProtocolError, INTERNAL_ERROR, internalError } from "./errors.ts";
import type { ErrorMappingParts } from "./errors.ts";
import { createEventsMethods } from "./events/methods.ts";
import type { EventsMethodsParts } from "./events/methods.ts";
import { instructionsFor } from "./instructions.ts";
import { acceptedBy, BOTH_TYPES } from "./protocol/accept.ts";
import { authInfoOf } from "./protocol/auth-info.ts";
import { batchErrorOf } from "./protocol/batch.ts";
import { answerFastPath, isFastPath } from "./protocol/fast-path.ts";
import { writeHttpError } from "./protocol/http-error.ts";
import type { HttpError } from "./protocol/http-error.ts";
import { createLegacy } from "./protocol/legacy.ts";
import { idOf, messageOf } from "./protocol/message.ts";
import type { MessageId, ReadMessage } from "./protocol/message.ts";
import { createMethods } from "./protocol/methods.ts";
import { createModern } from "./protocol/modern.ts";
import { createOutputs } from "./protocol/output.ts";
import { speaksLegacyVersion } from "./protocol/protocol-version.ts";
import { createRequestGuard } from "./request-guard.ts";
import type { Admission, RequestGuardParts } from "./request-guard.ts";
import { createLegacyTaskMethods } from "./tasks/legacy-methods.ts";
import { createModernTaskMethods } from "./tasks/modern-methods.ts";
import { createTools } from "./tools/registry.ts";
import type { ToolsParts } from "./tools/registry.ts";

export interface McpParts extends ToolsParts, ErrorMappingParts, RequestGuardParts, EventsMethodsParts {
  readonly serverInfo: { readonly name: string; readonly version: string };
}

export interface Mcp {
  /** Answers a request to the MCP endpoint, whatever its path. Never rejects. Resolves when the answer is written. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  readonly toolNames: readonly string[];
  /** Makes requests that would go on for long give their last answer now. May be called twice. */
  endStreams(): void;
  /** Ends the requests under way. May be called twice. */
  close(): Promise<void>;
}

/** The MCP endpoint for both protocol versions, as a plain Node request handler. */
export function createMcp(parts: McpParts): Mcp {
  const { emit, serverInfo } = parts;
  const guard = createRequestGuard(parts);
  const toProtocolError = createToProtocolError(parts);
  const tools = createTools(parts, toProtocolError);
  const taskMethodParts = { ...parts, resultOf: tools.resultOf };
  const groups = [
    createModernTaskMethods(taskMethodParts),
    createLegacyTaskMethods(taskMethodParts),
    createEventsMethods(parts),
  ];
  const methods = createMethods({ tools, groups, toProtocolError });
  const stop = new AbortController();
  const stopping = stop.signal;
  const protocolParts = { methods, serverInfo, instructions: instructionsFor(tools.names), stopping };
  const legacy = createLegacy(protocolParts);
  const modern = createModern({ ...protocolParts, emit });
  const fastPathParts = { tools, methods, stopping };
  const openOutput = createOutputs();

  /** Not async: one promise costs as much as parsing a small message. */
  function answer(
    read: ReadMessage,
    admission: Admission,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> | null {
    if (read.kind === "gone") return null;
    if (read.kind === "refused") return writeHttpError(res, read.error, read.id);
    const authorized = (): SdkRequest => sdkRequestOf(req, authInfoOf(admission, openOutput(admission.principal, res)));
    if (read.kind === "batch") return serveBatch(read.messages, authorized(), res);
    const { message } = read;
    if (isFastPath(req.headers, message)) return answerFastPath(message, admission.principal, res, fastPathParts);
    return serve(message, authorized(), res);
  }

  async function serve(message: object, req: SdkRequest, res: ServerResponse): Promise<void> {
    const request = await toWebRequest(acceptingBoth(req), message);
    if (!(await speaksLegacyVersion(request, message))) return modern.serve(req, res, message);
    await legacy.serve({ request, message, authInfo: req.auth, accepts: acceptedBy(req.headers.accept) }, res);
  }

  async function serveBatch(messages: readonly unknown[], req: SdkRequest, res: ServerResponse): Promise<void> {
    const error = batchErrorOf(req.headers, messages);
    if (error !== null) return void writeHttpError(res, error);
    const request = await toWebRequest(acceptingBoth(req), messages);
    const context = { request, authInfo: req.auth, accepts: acceptedBy(req.headers.accept) };
    await legacy.serveBatch(messages, context, res);
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let isRead = false;
    let id: MessageId = null;
    try {
      const admitted = guard(req, res);
      const admission = admitted instanceof Promise ? await admitted : admitted;
      if (admission === null) return;
      const body = await readRequestBody(req);
      isRead = body.kind === "bytes";
      const read = messageOf(body);
      if (read.kind === "message") id = idOf(read.message);
      await answer(read, admission, req, res);
    } catch (error) {
      emit({ kind: "internal.failed", where: "mcp", error });
      if (res.headersSent) res.destroy();
      else writeHttpError(res, INTERNAL, id);
    } finally {
      if (!isRead) discardRest(req);
    }
  }

  return {
    handle,
    toolNames: tools.names,
    endStreams: () => stop.abort("the server stops"),
    async close() {
      await Promise.all([legacy.close(), modern.close()]);
    },
  };
}

const INTERNAL: HttpError = { status: 500, code: INTERNAL_ERROR, message: internalError().message };

/** The form in which the SDKs take a request whose body has been read. */
interface SdkRequest extends NodeIncomingMessageLike {
  readonly auth: AuthInfo;
  readonly headers: IncomingHttpHeaders;
}

/** With a fixed host and path. The guard has checked them, and the SDKs' own URL parsing would refuse some valid requests. */
function sdkRequestOf(req: IncomingMessage, auth: AuthInfo): SdkRequest {
  return {
    method: "POST",
    url: "/mcp",
    headers: { ...req.headers, host: "localhost" },
    auth,
    [Symbol.asyncIterator]: () => req[Symbol.asyncIterator](),
  };
}

/** This server reads the Accept header itself. The v1 SDK refuses one that does not name both types literally. */
function acceptingBoth(req: SdkRequest): SdkRequest {
  return { ...req, headers: { ...req.headers, accept: BOTH_TYPES } };
}
