import type { RetryAfter } from "./retry-after.ts";

/** Why an attempt failed. Clients see these words and no others. */
export type AttemptError =
  | "connection_refused"
  | "connection_reset"
  | "timeout"
  | "tls_error"
  | "dns_error"
  | "http_3xx"
  | "http_4xx"
  | "http_5xx"
  | "blocked";

/** The result of one HTTP request. A receiver that misbehaves is data; only an error of this server is an exception. */
export type Outcome =
  | {
      readonly statusCode: number;
      readonly error: AttemptError | null;
      readonly responseExcerpt: string | null;
      /** Of a status for which `mayAskToWait` holds, if the answer has a valid `Retry-After`. */
      readonly retryAfter?: RetryAfter;
    }
  | {
      readonly statusCode: null;
      readonly error: AttemptError;
      readonly responseExcerpt: null;
      /** No later attempt can succeed: the URL itself names an address that is refused. */
      readonly isPermanent?: true;
    };

/** A delivery's history shows so many of its newest attempts: one that is redelivered often has thousands. */
export const ATTEMPTS_LISTED_MAX = 20;

export interface Attempt {
  /** From 1, per delivery. */
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly statusCode: number | null;
  readonly error: AttemptError | null;
}

/** Too early, too many requests, unavailable: the statuses whose `Retry-After` counts. */
const MAY_ASK_TO_WAIT: ReadonlySet<number> = new Set([425, 429, 503]);

export function mayAskToWait(statusCode: number): boolean {
  return MAY_ASK_TO_WAIT.has(statusCode);
}

/** Null: delivered, which only 2xx is. A redirect is a failure and is not followed. */
export function errorOfStatus(statusCode: number): AttemptError | null {
  if (statusCode >= 200 && statusCode < 300) return null;
  if (statusCode >= 500) return "http_5xx";
  return statusCode >= 400 ? "http_4xx" : "http_3xx";
}
