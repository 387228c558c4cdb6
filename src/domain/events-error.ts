/** The protocol errors of MCP Events (SEP-3415). The names are fixed; the numbers depend on `EventsErrorCodes`. */
export type EventsErrorName =
  | "InvalidParams"
  | "NotFound"
  | "Forbidden"
  | "ResourceExhausted"
  | "Unsupported"
  | "CallbackEndpointError";

/** Why the verification of a callback endpoint failed. Only these six words, so that a client cannot explore a network with it. */
export type EndpointFault =
  | "connection_refused"
  | "timeout"
  | "tls_error"
  | "http_4xx"
  | "http_5xx"
  | "challenge_failed";

/**
 * sketch: the numbers of the draft that the first clients implement, ChatGPT among them. sep: the numbers of SEP-3415. `data`, which
 * clients should read, is the same in both.
 */
export type EventsErrorCodes = "sketch" | "sep";

const NUMBERS: Record<EventsErrorCodes, Record<EventsErrorName, number>> = {
  sketch: {
    InvalidParams: -32602,
    NotFound: -32011,
    Forbidden: -32012,
    ResourceExhausted: -32013,
    Unsupported: -32014,
    CallbackEndpointError: -32015,
  },
  sep: {
    InvalidParams: -32602,
    NotFound: -32023,
    Forbidden: -32024,
    ResourceExhausted: -32025,
    Unsupported: -32026,
    CallbackEndpointError: -32027,
  },
};

export function numberOf(kind: EventsErrorName, codes: EventsErrorCodes): number {
  return NUMBERS[codes][kind];
}

export type EventsErrorData = { readonly [key: string]: string | number };

/** Why a request of MCP Events fails. `data` never repeats the value of an argument. */
export class EventsError extends Error {
  override readonly name = "EventsError";
  readonly kind: EventsErrorName;
  readonly data: EventsErrorData;

  constructor(kind: EventsErrorName, data: EventsErrorData) {
    super(kind);
    this.kind = kind;
    this.data = data;
  }
}

/** `field`: its path in the params, e.g. delivery.url. `reason`: one word. */
export function invalidParam(field: string, reason: string): EventsError {
  return new EventsError("InvalidParams", { field, reason });
}
