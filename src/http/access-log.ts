import type { IncomingMessage, ServerResponse } from "node:http";
import type { Announce } from "../service/announcements.ts";
import type { Clock } from "../service/ports.ts";

/** What an IPv4 address begins with on a socket that takes both kinds. */
const MAPPED_IPV4 = "::ffff:";

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
  const { remoteAddress: address = "-" } = request.socket;
  const remoteAddress = address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
  // It comes once; to say so again would cost as much as the rest of this.
  response.on("close", () => {
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
