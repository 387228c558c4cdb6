import type { EventsError, EventsErrorName } from "../../domain/events-error.ts";
import { INVALID_PARAMS, RpcError } from "../errors.ts";

/**
 * sketch: the numbers of the draft that the first clients implement, ChatGPT among them. sep: those of SEP-3415. What clients should go
 * by, `data`, is the same in both.
 */
export type EventsErrorCodes = "sketch" | "sep";

const NUMBERS: Record<EventsErrorCodes, Record<EventsErrorName, number>> = {
  sketch: {
    InvalidParams: INVALID_PARAMS,
    NotFound: -32011,
    Forbidden: -32012,
    ResourceExhausted: -32013,
    Unsupported: -32014,
    CallbackEndpointError: -32015,
  },
  sep: {
    InvalidParams: INVALID_PARAMS,
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

export function rpcErrorOf({ kind, data }: EventsError, codes: EventsErrorCodes): RpcError {
  return new RpcError(numberOf(kind, codes), kind, data);
}
