import type { Middleware } from "koa";
import type { Emit } from "../service/ports/telemetry.ts";
import { shownPath } from "./access-log.ts";
import type { RefusalCode } from "./api-error.ts";

/** Outermost but for the access log: whatever nobody expected is logged in full and shown as nothing. */
export function answerErrors(emit: Emit): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      emit({ kind: "internal.failed", where: `${ctx.method} ${shownPath(ctx.path)}`, error });
      ctx.status = 500;
      ctx.body = { status: "error", message: "Internal error" };
    }
  };
}

/** What no route took. The router's own 405 and 501 get a body too. */
export function answerUnknownPaths(): Middleware {
  return async (ctx, next) => {
    await next();
    if (ctx.respond === false || ctx.body !== undefined || ctx.status < 400) return;
    const { status } = ctx;
    const allow = ctx.response.get("Allow");
    const message = allow
      ? `${ctx.path} takes ${allow} only.`
      : `There is nothing at ${ctx.path}; see /health and /mcp/.`;
    const code: RefusalCode = allow ? "method_not_allowed" : "not_found";
    ctx.body = hasOneShapeOfErrors(ctx.path) ? { error: { code, message } } : { status: "error", message };
    // Setting a body makes the status 200.
    ctx.status = status;
  };
}

/** The contract gives the older routes another. */
function hasOneShapeOfErrors(path: string): boolean {
  return /^\/(tasks|complete)\//.test(path);
}
