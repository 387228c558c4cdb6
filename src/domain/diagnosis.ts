import type { AttemptError } from "./attempt.ts";

/** The steps of an attempt, in this order, and last whether the receiver verifies the signature. */
export type DiagnosisStepName = "guard" | "dns" | "connect" | "tls" | "post" | "signature";

/** warning: POSTs arrive, but something is wrong. skipped: this URL does not need the step, its result is unknown, or an earlier step failed. */
export interface DiagnosisStep {
  readonly step: DiagnosisStepName;
  readonly status: "ok" | "warning" | "failed" | "skipped";
  /** Null: the step has not failed. */
  readonly error: AttemptError | null;
  /** Of the answer to the step's POST; null: there was none. */
  readonly statusCode: number | null;
  readonly durationMs: number;
}

const OK: Record<DiagnosisStepName, string> = {
  guard: "The address guard has nothing against it.",
  dns: "The name resolves.",
  connect: "The port accepts connections.",
  tls: "The TLS handshake works and the certificate is valid for the name.",
  post: "The receiver took the test POST.",
  signature: "The receiver refuses a POST whose signature does not verify.",
};

const UNVERIFIED =
  "The receiver also takes a POST whose signature does not verify: let it verify the signature, or any sender that knows the URL can send it events.";

const SKIPPED: Record<DiagnosisStepName, string> = {
  guard: "Not judged.",
  dns: "An IP address needs no DNS.",
  connect: "Not tried.",
  tls: "An http:// URL has no TLS; use https:// for receivers that are not on the same machine.",
  post: "Not sent.",
  signature: "The receiver's answer to a POST whose signature does not verify shows nothing.",
};

const NO_SECRET_YET = "Only a registered callback has a secret to verify with.";

const FAILED: Record<AttemptError, string> = {
  blocked: "The address is not public, so nothing is sent there: use a public one, or see CALLBACK_ALLOW_PRIVATE.",
  dns_error: "The name does not resolve: check its spelling and its DNS records.",
  connection_refused:
    "Nothing listens there: check host and port, that the receiver runs, and that no firewall blocks it.",
  connection_reset:
    "The connection was cut off: check for a crash, a proxy, or a port that speaks TLS when http:// is used.",
  timeout: "It took too long: check for a firewall that drops packets, and answer 2xx before doing the work.",
  tls_error:
    "The TLS handshake failed: check that the certificate is valid for the name, complete with its chain and not expired, that its authority is a public one or in CALLBACK_CA_FILE, and that the port speaks TLS.",
  http_3xx: "The receiver redirects, and redirects are not followed: register the URL that it redirects to.",
  http_4xx: "The receiver refuses the POST: check the path, that it takes POST, and its authentication.",
  http_5xx: "The receiver failed on the POST: look into its own log.",
};

const REFUSED: Readonly<Record<number, string>> = {
  401: "The receiver refuses the POST as not authentic: check that it verifies with the signing_secret of this callback.",
  403: "The receiver refuses the POST: check that it verifies with the signing_secret of this callback, and its firewall.",
  404: "The receiver has no such path: check the path of callback_url.",
  405: "The receiver accepts no POST on this path: check its routes.",
  410: "The receiver says that it is gone; a real delivery that gets this answer disables the callback.",
  413: "The receiver finds the POST too large; a real delivery that gets this answer is given up.",
  429: "The receiver says that it gets too many requests: raise its limit for this server.",
  415: "The receiver does not accept application/json: change that.",
};

const NOT_REGISTERED_YET =
  "The receiver refuses the POST as not authentic, which is right before the registration: this signature is made with a temporary secret.";

/** One sentence for the callback's owner: what was found and what to do. It never repeats the receiver's words. */
export function adviceOn(
  { step, status, error, statusCode }: DiagnosisStep,
  context: { readonly failedBefore: boolean; readonly isRegistered: boolean },
): string {
  if (status === "ok") return OK[step];
  if (status === "warning") return UNVERIFIED;
  if (status === "skipped" || error === null) {
    if (context.failedBefore) return "Not tried: fix the step that failed first.";
    return step === "signature" && !context.isRegistered ? NO_SECRET_YET : SKIPPED[step];
  }
  if (!context.isRegistered && (statusCode === 401 || statusCode === 403)) return NOT_REGISTERED_YET;
  return REFUSED[statusCode ?? 0] ?? FAILED[error];
}
