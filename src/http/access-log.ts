import type { IncomingMessage, ServerResponse } from "node:http";
import type { Emit } from "../service/ports/telemetry.ts";
import type { Clock } from "../service/ports/clock.ts";

/** The prefix of an IPv4 address on a socket for both kinds of addresses. */
const MAPPED_IPV4 = "::ffff:";

export interface AccessLogParts {
  readonly emit: Emit;
  readonly clock: Pick<Clock, "now">;
}

/** Emits one event for the request when its answer is sent, with the status that was sent. */
export function emitWhenAnswered(
  { emit, clock }: AccessLogParts,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): void {
  const startedAt = clock.now();
  const { method = "" } = request;
  const { remoteAddress: address = "-" } = request.socket;
  const remoteAddress = address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
  // Not `once`: "close" is emitted once, and `once` would cost as much as the rest of this function.
  response.on("close", () => {
    const { statusCode: status } = response;
    const durationMs = clock.now() - startedAt;
    emit({ kind: "http.request", remoteAddress, method, path: shownPath(path), status, durationMs });
  });
}

/** A path without any of these holds no completion token, however it is spelled. */
const MAY_HOLD_TOKEN = /complete|%|[\w-]{32}/i;
const ROUTES_WITH_IDS = /^\/(?:webhook\/[^/%\\]+|tasks\/[^/%\\]+\/[a-z]+)\/?$/;
/** How often a path is decoded before it counts as unreadable. */
const DECODED_TIMES_MAX = 5;

/**
 * The path for the log. The token of a completion URL is a secret, also in a URL that was put together wrongly
 * (`//complete/…`, `/complete%2F…`) or whose route is misspelled.
 */
export function shownPath(path: string): string {
  if (!MAY_HOLD_TOKEN.test(path) || ROUTES_WITH_IDS.test(path)) return path;
  const plain = decoded(path);
  if (plain === null) return "/…";
  if (/complete./is.test(plain)) return "/complete/…";
  // Of a path that hides a token by its encoding the decoded text is shown.
  return (/[\w-]{32}/.test(plain) ? plain : path).replaceAll(/[\w-]{32,}/g, "…");
}

/** Null: the path is encoded too many times. */
function decoded(path: string): string | null {
  let plain = path;
  for (let times = 0; times < DECODED_TIMES_MAX; times++) {
    if (!/%[\da-f]{2}/i.test(plain)) return plain;
    plain = plain.replaceAll(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return null;
}

/** The path of a request target, which may be a whole URL. The same as Koa's `path`, at a fraction of the cost. */
export function pathOf(target = ""): string {
  return /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)/i.exec(target)?.[1] || "/";
}
