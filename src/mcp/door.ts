import type { IncomingMessage, ServerResponse } from "node:http";
import { hostHeaderValidation, originValidation } from "@modelcontextprotocol/node";
import { isJsonContentType } from "@modelcontextprotocol/server";
import type { PrincipalOf } from "../service/principals.ts";
import { HTTP_ERROR } from "./errors.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

export interface DoorNeeds {
  readonly principalOf: PrincipalOf;
  /** Host names without port, IPv6 in brackets, as the Host header may give them. */
  readonly allowedHosts: readonly string[];
  /** Likewise for the Origin header, which only browsers send. */
  readonly allowedOrigins: readonly string[];
}

/** Who comes in, judged by the headers alone: the principal, or null when the request was refused, and answered. */
export type Admit = (req: IncomingMessage, res: ServerResponse) => string | null;

export function createDoor({ principalOf, allowedHosts, allowedOrigins }: DoorNeeds): Admit {
  // Against DNS rebinding. They answer 403 by themselves.
  const judgeHost = hostHeaderValidation([...allowedHosts]);
  const isOriginAllowed = originValidation([...allowedOrigins]);

  // Nearly all requests name the same host, and judging it makes a URL of it.
  let lastAllowedHost: string | undefined;

  function isHostAllowed(req: IncomingMessage, res: ServerResponse): boolean {
    const { host } = req.headers;
    if (host !== undefined && host === lastAllowedHost) return true;
    const isAllowed = judgeHost(req, res);
    if (isAllowed) lastAllowedHost = host;
    return isAllowed;
  }

  return (req, res) => {
    if (!isHostAllowed(req, res) || !isOriginAllowed(req, res)) return null;
    if (req.method !== "POST") return refuse(res, METHOD_NOT_ALLOWED);
    const principal = principalOf(req.headers.authorization);
    if (principal === null) return refuse(res, UNAUTHORIZED);
    if (!isJsonContentType(req.headers["content-type"])) return refuse(res, UNSUPPORTED_MEDIA_TYPE);
    return principal;
  };
}

/** GET would open a stream and DELETE end a session: this server has neither, and clients of both SDKs take 405 for that answer. */
const METHOD_NOT_ALLOWED: Refusal = {
  status: 405,
  code: HTTP_ERROR,
  message: "Method not allowed: send JSON-RPC messages with POST.",
  headers: { Allow: "POST" },
};

const UNAUTHORIZED: Refusal = {
  status: 401,
  code: HTTP_ERROR,
  message: "Unauthorized: send a known token as Authorization: Bearer <token>.",
  headers: { "WWW-Authenticate": "Bearer" },
};

const UNSUPPORTED_MEDIA_TYPE: Refusal = {
  status: 415,
  code: HTTP_ERROR,
  message: "Unsupported Media Type: Content-Type must be application/json",
};
