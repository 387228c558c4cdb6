import type { Outcome } from "../../domain/attempt.ts";

/** One signed POST. */
export interface SendRequest {
  readonly url: URL;
  /** Its share of the name look-ups is used. */
  readonly principal: string;
  /** Sent as given. Names in lower case; they replace the headers that the sender sets itself. */
  readonly headers: Readonly<Record<string, string>>;
  /** The exact text that was signed. */
  readonly body: string;
  /** True: `responseExcerpt` has the beginning of a 2xx answer too. */
  readonly keepsAnswer?: boolean;
}

export interface Sender {
  /**
   * Looks the host name up before an attempt, which may wait for a slot of its principal and for the name server; null: its addresses are
   * known. A failed look-up is an Outcome of `send`. Rejects with the reason of `signal`, with `SenderBusy` and with a failure of this server.
   */
  lookUp(url: URL, principal: string, signal: AbortSignal): Promise<void> | null;
  /**
   * Every behaviour of the receiver is an Outcome, within `attemptTimeoutMs` in all (connection, headers and body together), after the
   * look-up of its name, which has a time limit of its own. Rejects with the reason of `signal` when that aborts before a status has arrived,
   * with `SenderBusy`, and with any failure of this server.
   */
  send(request: SendRequest, signal: AbortSignal): Promise<Outcome>;
  /** Closes every connection; running requests reject. May be called twice. */
  close(): Promise<void>;
}

/** Nothing was sent: every name look-up that the principal may have under way was in use for as long as a request waits. */
export class SenderBusy extends Error {
  override readonly name = "SenderBusy";
}
