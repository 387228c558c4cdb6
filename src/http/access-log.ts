import type { Middleware } from "koa";
import type { Announce } from "../service/announcements.ts";
import type { Clock } from "../service/ports.ts";

/** One announcement for each request, when its answer is out: with the status it really got, whoever wrote the answer. */
export function accessLog(announce: Announce, clock: Pick<Clock, "now">): Middleware {
  return async (ctx, next) => {
    const startedAt = clock.now();
    const { method } = ctx;
    const path = shownPath(ctx.path);
    const remoteAddress = ctx.req.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "-";
    ctx.res.once("close", () => {
      const { statusCode: status } = ctx.res;
      announce({ kind: "http.request", remoteAddress, method, path, status, durationMs: clock.now() - startedAt });
    });
    await next();
  };
}

/** A completion URL is a secret, whoever gets it right. */
export function shownPath(path: string): string {
  return path.startsWith("/complete/") ? "/complete/…" : path;
}
