import type { IncomingMessage, ServerResponse } from "node:http";
import { isJsonContentType } from "@modelcontextprotocol/server";
import { createOriginPolicy } from "../inbound/origin-policy.ts";
import type { OriginPolicyParts } from "../inbound/origin-policy.ts";
import type { PrincipalOf } from "../service/principals.ts";
import { HTTP_ERROR } from "./errors.ts";
import { writeHttpError } from "./protocol/http-error.ts";
import type { HttpError } from "./protocol/http-error.ts";

/** The result of authentication. */
export interface Admission {
  readonly principal: string;
  /** What the client may do; left out: all that its principal may. */
  readonly scopes?: readonly string[];
}

/**
 * Judges an Authorization header. Null: the answer is 401. Only an authenticator that has to wait (for keys, for another server) returns
 * a promise: a promise for each request would cost as much as parsing a small message. The promise must settle: the guard has no timeout.
 */
export type Authenticate = (authorization: string | undefined) => Admission | null | Promise<Admission | null>;

/** Authentication by static tokens. */
export function authenticateByToken(principalOf: PrincipalOf): Authenticate {
  return (authorization) => {
    const principal = principalOf(authorization);
    return principal === null ? null : { principal };
  };
}

export interface RequestGuardParts extends OriginPolicyParts {
  readonly authenticate: Authenticate;
}

/** Judges a request by its headers alone. Null: the request was answered. A promise only where `authenticate` returns one. */
export type RequestGuard = (req: IncomingMessage, res: ServerResponse) => ReturnType<Authenticate>;

export function createRequestGuard({ authenticate, ...parts }: RequestGuardParts): RequestGuard {
  const origins = createOriginPolicy(parts);
  return (req, res) => {
    const { host, origin, authorization } = req.headers;
    const forbidden = origins.refusedHost(host) ?? origins.refusedOrigin(origin);
    if (forbidden !== null) return writeHttpError(res, { status: 403, code: HTTP_ERROR, message: forbidden });
    if (origin !== undefined && origins.admitPage(req, res)) return null;
    if (req.method === "OPTIONS") return answerOptions(res);
    const admission = authenticate(authorization);
    return admission instanceof Promise
      ? admission.then((late) => checkRequest(late, req, res))
      : checkRequest(admission, req, res);
  };
}

/** 401 comes before 405 and 415: a client that gets another status does not ask its user for a token. */
function checkRequest(admission: Admission | null, req: IncomingMessage, res: ServerResponse): Admission | null {
  if (admission === null) return writeHttpError(res, UNAUTHORIZED);
  if (req.method !== "POST") return writeHttpError(res, METHOD_NOT_ALLOWED);
  if (!isJsonContentType(req.headers["content-type"])) return writeHttpError(res, UNSUPPORTED_MEDIA_TYPE);
  return admission;
}

const ALLOW = { Allow: "POST, OPTIONS" };

function answerOptions(res: ServerResponse): null {
  res.writeHead(204, ALLOW).end();
  return null;
}

/** GET would open a stream and DELETE end a session. This server has neither, and clients of both SDKs accept 405 as that answer. */
const METHOD_NOT_ALLOWED: HttpError = {
  status: 405,
  code: HTTP_ERROR,
  message: "Method not allowed: send JSON-RPC messages with POST.",
  headers: ALLOW,
};

const UNAUTHORIZED: HttpError = {
  status: 401,
  code: HTTP_ERROR,
  message:
    "Unauthorized: this server takes the bearer tokens of its setting AUTH_TOKENS; send one as Authorization: Bearer <token>.",
  headers: { "WWW-Authenticate": "Bearer" },
};

const UNSUPPORTED_MEDIA_TYPE: HttpError = {
  status: 415,
  code: HTTP_ERROR,
  message: "Unsupported Media Type: send the message with Content-Type: application/json.",
};
