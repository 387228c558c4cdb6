import type { Outcome } from "../../domain/attempt.ts";

/** One signed POST. */
export interface SendRequest {
  readonly url: URL;
  /** Sent as given, names in lower case; they go over our own. */
  readonly headers: Readonly<Record<string, string>>;
  /** The exact text that was signed. */
  readonly body: string;
  /** The beginning of a 2xx answer is wanted too, as `responseExcerpt`. */
  readonly keepsAnswer?: boolean;
}

export interface Sender {
  /**
   * Whatever the receiver does is an Outcome, within `attemptTimeoutMs` in all (DNS, connection, headers and body together).
   * Rejects with the reason of `signal` when that aborts before a status has come, and with any fault of our own.
   */
  send(request: SendRequest, signal: AbortSignal): Promise<Outcome>;
  /** Closes every connection; what is still under way rejects. May be called twice. */
  close(): Promise<void>;
}
