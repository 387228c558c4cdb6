import { numberOf } from "../../domain/events-error.ts";
import type { EventsError, EventsErrorCodes } from "../../domain/events-error.ts";
import { RpcError } from "../errors.ts";

export function rpcErrorOf({ kind, data }: EventsError, codes: EventsErrorCodes): RpcError {
  return new RpcError(numberOf(kind, codes), kind, data);
}
