import type { IncomingMessage, ServerResponse } from "node:http";
import type { Announce } from "../service/announcements.ts";
import type { Clock } from "../service/ports.ts";

/** What the announcements of requests need. */
export interface AccessLogNeeds {
  readonly announce: Announce;
  readonly clock: Pick<Clock, "now">;
}

/** One announcement for the request, when its answer is out: with the status it really got, whoever wrote the answer. */
export function announceWhenAnswered(
  { announce, clock }: AccessLogNeeds,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): void {
  const startedAt = clock.now();
  const { method = "" } = request;
  const remoteAddress = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "-";
  response.once("close", () => {
    const { statusCode: status } = response;
    const durationMs = clock.now() - startedAt;
    announce({ kind: "http.request", remoteAddress, method, path: shownPath(path), status, durationMs });
  });
}

/** A completion URL is a secret, whoever gets it right. The router does not look at the case of its letters either. */
export function shownPath(path: string): string {
  return /^\/complete\//i.test(path) ? "/complete/…" : path;
}

/** The path of a request target, which may be a whole URL: as Koa reads it, at a fraction of the cost. */
export function pathOf(target = ""): string {
  return /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)/i.exec(target)?.[1] || "/";
}
