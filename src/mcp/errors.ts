/** The one place that maps errors to what an MCP client reads. */
import { adviceOnInternal, DomainError } from "../domain/errors.ts";
import { EventsError, numberOf } from "../domain/events-error.ts";
import type { EventsErrorCodes } from "../domain/events-error.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { ToolResult } from "./tools/define-tool.ts";

/** JSON-RPC 2.0, section 5.1. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** Both SDKs answer with it when the HTTP request is wrong and not the message. */
export const HTTP_ERROR = -32000;
/** 2026-07-28: the client has not declared a capability that the request needs. Its HTTP status is 400. */
export const MISSING_CLIENT_CAPABILITY = -32021;

/** A JSON-RPC error. Both SDKs send `code`, `message` and `data` as they stand; the v1 SDK's own McpError would prefix the message. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: number;
  readonly data?: { readonly [key: string]: unknown };

  constructor(code: number, message: string, data?: { readonly [key: string]: unknown }) {
    super(message);
    this.code = code;
    if (data !== undefined) this.data = data;
  }
}

export function missingExtension(extension: string): ProtocolError {
  return new ProtocolError(MISSING_CLIENT_CAPABILITY, `Missing required client capability: ${extension}`, {
    requiredCapabilities: { extensions: { [extension]: {} } },
  });
}

/** The answer to an unexpected error, without its message. */
export function internalError(error?: unknown): ProtocolError {
  return new ProtocolError(INTERNAL_ERROR, `Internal error: ${adviceOnInternal(error)}`);
}

export interface ErrorMappingParts {
  readonly emit: Emit;
  /** The numbers of the errors of MCP Events. */
  readonly errorCodes: EventsErrorCodes;
}

/** `where`: the method or tool that threw, for the log. */
export type ToProtocolError = (error: unknown, where: string) => ProtocolError;

/** Maps what a method throws to its JSON-RPC error. An unexpected error is logged in full and becomes `internalError`. */
export function createToProtocolError({ emit, errorCodes }: ErrorMappingParts): ToProtocolError {
  return (error, where) => {
    if (error instanceof ProtocolError) return error;
    if (error instanceof EventsError)
      return new ProtocolError(numberOf(error.kind, errorCodes), error.kind, error.data);
    emit({ kind: "internal.failed", where: `mcp ${where}`, error });
    return internalError(error);
  };
}

/** What a tool answers to a `DomainError`; null: the error is not one. */
export function toToolError(error: unknown): ToolResult | null {
  return error instanceof DomainError ? errorResult({ code: error.code, message: error.message }) : null;
}

/** `code`: a `DomainErrorCode`, or one that the tool documents. */
export interface ToolError {
  readonly code: string;
  readonly message: string;
  readonly [key: string]: unknown;
}

/**
 * The sentence, then the same as JSON. Without structuredContent, which clients would validate against the outputSchema. The first block
 * never parses as JSON: Gemini CLI takes one that does for structuredContent.
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

/** The message, with the code before it where the text of a task's error is empty or JSON. */
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
