/** The errors of MCP Events (SEP-3415): their names are fixed, their numbers are not. */
export type EventsErrorName =
  | "InvalidParams"
  | "NotFound"
  | "Forbidden"
  | "ResourceExhausted"
  | "Unsupported"
  | "CallbackEndpointError";

/** Why a callback endpoint failed. Six words only: more would show a client what is in the server's network. */
export type EndpointFault =
  | "connection_refused"
  | "timeout"
  | "tls_error"
  | "http_4xx"
  | "http_5xx"
  | "challenge_failed";

/**
 * sketch: the numbers of the draft that the first clients implement, ChatGPT among them. sep: those of SEP-3415. `data`, by which clients
 * should decide, is the same in both.
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

/** A request of MCP Events that cannot be carried out. `data` never repeats the values of arguments. */
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

/** `field`: as the client spells it, e.g. delivery.url. `reason`: a word. */
export function invalidParam(field: string, reason: string): EventsError {
  return new EventsError("InvalidParams", { field, reason });
}
