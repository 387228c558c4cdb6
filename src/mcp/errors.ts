import type { ToolResult } from "./tools/define-tool.ts";

/** JSON-RPC 2.0, section 5.1. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** What both SDKs answer with when the fault lies in the HTTP request and not in the message. */
export const HTTP_ERROR = -32000;
/** Of 2026-07-28: the client has not declared what the request needs. Its HTTP status is 400. */
export const MISSING_CLIENT_CAPABILITY = -32021;

/** A JSON-RPC error as both SDKs send it: `code`, `message` and `data` as they stand (v1's own McpError would prefix the message). */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly data?: { readonly [key: string]: unknown };

  constructor(code: number, message: string, data?: { readonly [key: string]: unknown }) {
    super(message);
    this.code = code;
    if (data !== undefined) this.data = data;
  }
}

export function missingExtension(extension: string): RpcError {
  return new RpcError(MISSING_CLIENT_CAPABILITY, `Missing required client capability: ${extension}`, {
    requiredCapabilities: { extensions: { [extension]: {} } },
  });
}

/** What a client may know of a fault of ours: nothing. */
export function internalError(): RpcError {
  return new RpcError(INTERNAL_ERROR, "Internal error");
}

/** What a tool answers instead of its result. `code` is a `DomainErrorCode`, or one that the tool documents. */
export interface ToolError {
  readonly code: string;
  readonly message: string;
  readonly [key: string]: unknown;
}

/**
 * The sentence, then the same as JSON. Without structuredContent, which clients hold against the outputSchema. Gemini CLI takes a first
 * block that parses as JSON for structuredContent, so no first block does.
 */
export function errorResult(error: ToolError): ToolResult {
  return {
    content: [
      { type: "text", text: sentenceOf(error) },
      { type: "text", text: JSON.stringify({ error }) },
    ],
    isError: true,
  };
}

/** The message; behind the code where the text of a task's error is empty or JSON. */
function sentenceOf({ code, message }: ToolError): string {
  return message.trim() === "" || isJson(message) ? `${code}: ${message}` : message;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
