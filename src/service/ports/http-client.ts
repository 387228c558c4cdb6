import type { AttemptError } from "../../domain/attempt.ts";

export interface HttpRequest {
  /** Its share of the name look-ups is used. */
  readonly principal: string;
  readonly method: string;
  readonly url: string;
  /** Names in lower case; they replace the headers that the client sets itself. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null: none. */
  readonly body: string | null;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; the values of a header that came several times are joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** The beginning of the body, as text. */
  readonly body: string;
  readonly isBodyCut: boolean;
}

/** Sends requests to the addresses that the address guard allows. Follows no redirect. */
export interface HttpClient {
  /** An AttemptError when no answer came. Rejects with the reason of the signal, and with failures of this server. */
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer | AttemptError>;
}
