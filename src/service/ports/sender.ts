import type { Outcome } from "../../domain/attempt.ts";

/** One signed POST. */
export interface SendRequest {
  readonly url: URL;
  /** Sent as given. Names in lower case; they replace the headers that the sender sets itself. */
  readonly headers: Readonly<Record<string, string>>;
  /** The exact text that was signed. */
  readonly body: string;
  /** True: `responseExcerpt` has the beginning of a 2xx answer too. */
  readonly keepsAnswer?: boolean;
}

export interface Sender {
  /**
   * Every behaviour of the receiver is an Outcome, within `attemptTimeoutMs` in all (DNS, connection, headers and body together).
   * Rejects with the reason of `signal` when that aborts before a status has arrived, and with any failure of this server.
   */
  send(request: SendRequest, signal: AbortSignal): Promise<Outcome>;
  /** Closes every connection; running requests reject. May be called twice. */
  close(): Promise<void>;
}
