import { z } from "zod";
import { adviceOnInternal, DomainError, StoreUnavailable } from "../domain/errors.ts";

/** The codes are stable. Each has one HTTP status. */
const STATUS_OF = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  lease_lost: 409,
  task_ended: 409,
  already_used: 409,
  expired: 410,
  too_large: 413,
  unsupported_media_type: 415,
  limit: 429,
  internal: 500,
  unavailable: 503,
} as const;
export type ApiErrorCode = keyof typeof STATUS_OF;

/** The body of every error over HTTP, except those of /mcp (JSON-RPC), /webhook (`receiverErrorSchema`) and OAuth's paths (RFC 6749). */
export const apiErrorSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(STATUS_OF) as [ApiErrorCode, ...ApiErrorCode[]]),
    message: z.string().describe("What is wrong and what to do."),
  }),
});

/** The body of an error of /webhook (docs/http-api.md). Its form is fixed: receivers written against this server read it. */
export const receiverErrorSchema = z.object({ status: z.literal("error"), message: z.string() });

/** Why a request over HTTP fails. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiErrorCode;

  /** `message`: one sentence for the client that says what is wrong and what to do. It never holds a secret. */
  constructor(code: ApiErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get status(): number {
    return statusOf(this.code);
  }
}

export function statusOf(code: ApiErrorCode): number {
  return STATUS_OF[code];
}

/** The one mapping from what a route throws to what its client reads. An unexpected error becomes `internal`, without its message. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DomainError) return new ApiError(error.code, error.message);
  const code = error instanceof StoreUnavailable ? "unavailable" : "internal";
  return new ApiError(code, `Internal error: ${adviceOnInternal(error)}.`);
}
