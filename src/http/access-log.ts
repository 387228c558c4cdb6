import type { IncomingMessage, ServerResponse } from "node:http";
import type { Middleware } from "koa";
import type { Announce } from "../service/announcements.ts";
import type { Clock } from "../service/ports.ts";

/** What an IPv4 address begins with on a socket that takes both kinds. */
const MAPPED_IPV4 = "::ffff:";

/** What the announcements of requests need. */
export interface AccessLogNeeds {
  readonly announce: Announce;
  readonly clock: Pick<Clock, "now">;
}

/** One announcement for each request, when its answer is out: with the status it really got, whoever wrote the answer. */
export function accessLog(needs: AccessLogNeeds): Middleware {
  return async (ctx, next) => {
    announceWhenAnswered(needs, ctx.req, ctx.res, ctx.path);
    await next();
  };
}

/** The same for a request that Koa does not see. */
export function announceWhenAnswered(
  { announce, clock }: AccessLogNeeds,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): void {
  const startedAt = clock.now();
  const { method = "" } = request;
  const { remoteAddress: address = "-" } = request.socket;
  const remoteAddress = address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
  // It comes once; to say so again would cost as much as the rest of this.
  response.on("close", () => {
    const { statusCode: status } = response;
    const durationMs = clock.now() - startedAt;
    announce({ kind: "http.request", remoteAddress, method, path: shownPath(path), status, durationMs });
  });
}

/** A completion URL is a secret, whoever gets it right. */
export function shownPath(path: string): string {
  return path.startsWith("/complete/") ? "/complete/…" : path;
}
