/** The category of an error of undici, node:net, node:tls or node:dns: clients see only the category. */
import { errors } from "undici";
import type { AttemptError } from "../domain/attempt.ts";
import { BlockedTargetError } from "./address-guard.ts";
import { NameLookupError } from "./names/lookup-error.ts";

const CATEGORIES: readonly (readonly [AttemptError, RegExp])[] = [
  ["timeout", /^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/],
  // EADDRNOTAVAIL: Linux gives it for port 0, and for ::1 without IPv6.
  ["connection_refused", /^(ECONNREFUSED|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EAFNOSUPPORT|EACCES|EPERM)$/],
  ["connection_reset", /^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|UND_ERR_HEADERS_OVERFLOW)$/],
  ["connection_reset", /^UND_ERR_RES_(CONTENT_LENGTH_MISMATCH|EXCEEDED_MAX_SIZE)$/],
  // undici asserts some properties of a response, e.g. that its status is not 000.
  ["connection_reset", /^ERR_ASSERTION$/],
  ["tls_error", /^(EPROTO|ERR_TLS_|ERR_SSL_|ERR_OSSL_)/],
  // The names that Node gives to X509_V_ERR_* of OpenSSL.
  ["tls_error", /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)$|PATH_LENGTH_EXC)/],
  ["tls_error", /^HOSTNAME_MISMATCH$/],
  ["dns_error", /^(ENOTFOUND|ENODATA|EAI_.*)$/],
];

/** Null: the error is not known to come from the receiver. It is then an internal failure. */
export function errorCategoryOf(error: unknown): AttemptError | null {
  if (error instanceof BlockedTargetError) return "blocked";
  if (error instanceof NameLookupError) return error.isLocal ? null : "dns_error";
  // A response that is not HTTP counts as a reset. By its class: undici 8.12 leaves the code empty, where it promises HPE_….
  if (error instanceof errors.HTTPParserError) return "connection_reset";
  for (const code of codesOf(error)) {
    const found = CATEGORIES.find(([, pattern]) => pattern.test(code));
    if (found !== undefined) return found[0];
  }
  return null;
}

/** When several addresses failed, Node throws an AggregateError: its code first, then the codes of its parts. */
function codesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const own = "code" in error && typeof error.code === "string" ? [error.code] : [];
  return error instanceof AggregateError ? [...own, ...error.errors.flatMap(codesOf)] : own;
}
