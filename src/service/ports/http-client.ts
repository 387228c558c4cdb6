import type { AttemptError } from "../../domain/attempt.ts";

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case; they go over our own. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null: none. */
  readonly body: string | null;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; what came several times is joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its beginning, as text. */
  readonly body: string;
  readonly isBodyCut: boolean;
}

/** Makes requests to wherever the address guard allows, and follows no redirect. */
export interface HttpClient {
  /** An AttemptError when no answer came. Rejects with the reason of the signal, and with faults of our own. */
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer | AttemptError>;
}
