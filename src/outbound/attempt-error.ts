/** Errors of undici, node:net, node:tls and node:dns, told in the categories of an attempt (rule 6 of the delivery rules). */
import { errors } from "undici";
import type { AttemptError } from "../domain/attempt.ts";
import { BlockedTargetError } from "./address-guard.ts";

const CATEGORIES: readonly (readonly [AttemptError, RegExp])[] = [
  ["timeout", /^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/],
  // EADDRNOTAVAIL: what Linux says of port 0, or of ::1 where there is no IPv6.
  ["connection_refused", /^(ECONNREFUSED|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL|EAFNOSUPPORT|EACCES|EPERM)$/],
  ["connection_reset", /^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|UND_ERR_HEADERS_OVERFLOW)$/],
  ["connection_reset", /^UND_ERR_RES_(CONTENT_LENGTH_MISMATCH|EXCEEDED_MAX_SIZE)$/],
  // undici asserts what it takes for granted of an answer, e.g. that its status is not 000.
  ["connection_reset", /^ERR_ASSERTION$/],
  ["tls_error", /^(EPROTO|ERR_TLS_|ERR_SSL_|ERR_OSSL_)/],
  // X509_V_ERR_* of OpenSSL, as Node names them.
  ["tls_error", /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)$|PATH_LENGTH_EXC)/],
  ["tls_error", /^HOSTNAME_MISMATCH$/],
  ["dns_error", /^(ENOTFOUND|ENODATA|EAI_.*)$/],
];

/** Null: not the receiver's doing as far as we know (a fault of our own, or one that nobody thought of). */
export function attemptErrorOf(error: unknown): AttemptError | null {
  if (error instanceof BlockedTargetError) return "blocked";
  // What is no HTTP counts as cut off. Told by its class: undici 8.12 leaves the code empty (it promises HPE_…).
  if (error instanceof errors.HTTPParserError) return "connection_reset";
  // Whatever the resolver says: a name that it cannot even ask for gives EINVAL, say.
  if (error instanceof Error && "syscall" in error && error.syscall === "getaddrinfo") return "dns_error";
  for (const code of codesOf(error)) {
    const found = CATEGORIES.find(([, pattern]) => pattern.test(code));
    if (found !== undefined) return found[0];
  }
  return null;
}

/** When several addresses failed, Node throws an AggregateError: its own code first, then those of its parts. */
function codesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const own = "code" in error && typeof error.code === "string" ? [error.code] : [];
  return error instanceof AggregateError ? [...own, ...error.errors.flatMap(codesOf)] : own;
}
