import type { RetryAfter } from "./retry-after.ts";

/** What went wrong with an attempt, in the only words a caller ever sees of it. */
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

/** What one HTTP request came to. A receiver that misbehaves is data; only a fault of our own is an exception. */
export type Outcome =
  | {
      readonly statusCode: number;
      readonly error: AttemptError | null;
      readonly responseExcerpt: string | null;
      /** When the receiver wants to be asked again, if its status is one that may say so and it did. */
      readonly retryAfter?: RetryAfter;
    }
  | { readonly statusCode: null; readonly error: AttemptError; readonly responseExcerpt: null };

/** A delivery's history shows so many attempts, the newest: one that is redelivered often has thousands. */
export const ATTEMPTS_LISTED_MAX = 20;

export interface Attempt {
  /** From 1, per delivery. */
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly statusCode: number | null;
  readonly error: AttemptError | null;
}

/** Too early, too many requests, unavailable: the answers whose `Retry-After` counts. */
const MAY_ASK_TO_WAIT: ReadonlySet<number> = new Set([425, 429, 503]);

export function mayAskToWait(statusCode: number): boolean {
  return MAY_ASK_TO_WAIT.has(statusCode);
}

/** The status decides: only 2xx is success, and a redirect is a failure that nobody follows. Null: delivered. */
export function errorOfStatus(statusCode: number): AttemptError | null {
  if (statusCode >= 200 && statusCode < 300) return null;
  if (statusCode >= 500) return "http_5xx";
  return statusCode >= 400 ? "http_4xx" : "http_3xx";
}
