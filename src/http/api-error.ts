import type { RouterMiddleware } from "@koa/router";
import { z } from "zod";
import { DomainError, StoreUnavailable } from "../domain/errors.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import { shownPath } from "./access-log.ts";
import type { Operation } from "./openapi/operation.ts";

/** The codes are stable; each has one status. */
const STATUS_OF = {
  invalid: 400,
  unauthorized: 401,
  not_found: 404,
  method_not_allowed: 405,
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
export type RefusalCode = keyof typeof STATUS_OF;

export const refusalSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(STATUS_OF) as [RefusalCode, ...RefusalCode[]]),
    message: z.string().describe("A sentence for people."),
  }),
});

/** Why a request of the worker API, or with a completion URL, is not carried out. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: RefusalCode;

  /** `message`: one sentence for the caller that says what to do; it never holds a secret. */
  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

export function statusOf(code: RefusalCode): number {
  return STATUS_OF[code];
}

/** The same operation; whatever it throws becomes an answer of the one shape; what nobody expected is logged in full and shown as nothing. */
export function withRefusals(operation: Operation, emit: Emit): Operation {
  const handle: RouterMiddleware = async (ctx, next) => {
    try {
      await operation.handle(ctx, next);
    } catch (error) {
      const { code, message } = refusalFor(error);
      if (code === "internal" || code === "unavailable")
        emit({ kind: "internal.failed", where: `${ctx.method} ${shownPath(ctx.path)}`, error });
      if (code === "unauthorized") ctx.set("WWW-Authenticate", "Bearer");
      ctx.status = STATUS_OF[code];
      ctx.body = { error: { code, message } };
    }
  };
  return { ...operation, handle };
}

function refusalFor(error: unknown): { readonly code: RefusalCode; readonly message: string } {
  if (error instanceof Refusal) return error;
  if (error instanceof DomainError && error.code === "limit") return { code: "limit", message: error.message };
  if (error instanceof StoreUnavailable)
    return { code: "unavailable", message: "The server cannot store anything at the moment; try again in a while." };
  return { code: "internal", message: "Internal error" };
}
