import type { IncomingMessage, ServerResponse } from "node:http";
import { isJsonContentType } from "@modelcontextprotocol/server";
import { createOriginPolicy } from "../runtime/origin-policy.ts";
import type { OriginPolicyNeeds } from "../runtime/origin-policy.ts";
import type { PrincipalOf } from "../service/principals.ts";
import { HTTP_ERROR } from "./errors.ts";
import { refuse } from "./protocol/http-error.ts";
import type { Refusal } from "./protocol/http-error.ts";

export interface RequestGuardNeeds extends OriginPolicyNeeds {
  readonly principalOf: PrincipalOf;
}

/** Who comes in, judged by the headers alone: the principal, or null when the request was refused, and answered. */
export type Authenticate = (req: IncomingMessage, res: ServerResponse) => string | null;

export function createRequestGuard({ principalOf, ...needs }: RequestGuardNeeds): Authenticate {
  const origins = createOriginPolicy(needs);

  return (req, res) => {
    const { host, origin, authorization } = req.headers;
    const forbidden = origins.refusedHost(host) ?? origins.refusedOrigin(origin);
    if (forbidden !== null) return refuse(res, { status: 403, code: HTTP_ERROR, message: forbidden });
    if (origin !== undefined && origins.admitPage(req, res)) return null;
    if (req.method === "OPTIONS") return answerOptions(res);
    // Before anything else is found fault with: a client that gets another status does not ask its user for a token.
    const principal = principalOf(authorization);
    if (principal === null) return refuse(res, UNAUTHORIZED);
    if (req.method !== "POST") return refuse(res, METHOD_NOT_ALLOWED);
    if (!isJsonContentType(req.headers["content-type"])) return refuse(res, UNSUPPORTED_MEDIA_TYPE);
    return principal;
  };
}

const ALLOW = { Allow: "POST, OPTIONS" };

function answerOptions(res: ServerResponse): null {
  res.writeHead(204, ALLOW).end();
  return null;
}

/** GET would open a stream and DELETE end a session: this server has neither, and clients of both SDKs take 405 for that answer. */
const METHOD_NOT_ALLOWED: Refusal = {
  status: 405,
  code: HTTP_ERROR,
  message: "Method not allowed: send JSON-RPC messages with POST.",
  headers: ALLOW,
};

const UNAUTHORIZED: Refusal = {
  status: 401,
  code: HTTP_ERROR,
  message:
    "Unauthorized: this server takes the bearer tokens of its setting AUTH_TOKENS; send one as Authorization: Bearer <token>.",
  headers: { "WWW-Authenticate": "Bearer" },
};

const UNSUPPORTED_MEDIA_TYPE: Refusal = {
  status: 415,
  code: HTTP_ERROR,
  message: "Unsupported Media Type: Content-Type must be application/json",
};
