import type { Context, Middleware } from "koa";
import type { z } from "zod";
import type { Emit } from "../service/ports/telemetry.ts";
import { shownPath } from "./access-log.ts";
import { ApiError, toApiError } from "./api-error.ts";
import type { apiErrorSchema, receiverErrorSchema } from "./api-error.ts";

/** Answers with the error that a route throws. Internal errors are logged in full. */
export function answerErrors(emit: Emit): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.code === "internal" || error.code === "unavailable")
        emit({ kind: "internal.failed", where: `${ctx.method} ${shownPath(ctx.path)}`, error: thrown });
      answerError(ctx, error, error.status);
    }
  };
}

/** Answers requests that no route took. The router's own 405 and 501 get a body too. */
export function answerUnknownPaths(): Middleware {
  return async (ctx, next) => {
    await next();
    if (ctx.respond === false || ctx.body !== undefined || ctx.status < 400) return;
    const allow = ctx.response.get("Allow");
    const error = allow
      ? new ApiError("method_not_allowed", `${ctx.path} takes ${allow} only.`)
      : new ApiError("not_found", `There is nothing at ${ctx.path}; /openapi.json lists all paths, MCP is at /mcp.`);
    answerError(ctx, error, ctx.status);
  };
}

function answerError(ctx: Context, { code, message }: ApiError, status: number): void {
  if (code === "unauthorized") ctx.set("WWW-Authenticate", "Bearer");
  ctx.body = ctx.path.startsWith("/webhook/")
    ? ({ status: "error", message } satisfies z.input<typeof receiverErrorSchema>)
    : ({ error: { code, message } } satisfies z.input<typeof apiErrorSchema>);
  // Setting a body makes the status 200.
  ctx.status = status;
}
