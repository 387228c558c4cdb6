/** Why a call to an upstream server brought no result, told by what may have been done. */
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";
import { STREAM_LOST } from "./transport.ts";

/**
 * refused: it has not reached the tool, so it can be made again. lost: the connection broke off, and nobody knows what was done.
 * answered: the server has answered, with an error or with what is no result.
 */
export type CallFault = "refused" | "lost" | "answered";

/** A call failed. `message`: a sentence for the clients. */
export class UpstreamCallError extends Error {
  override readonly name = "UpstreamCallError";
  readonly fault: CallFault;

  constructor(fault: CallFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

const NOT_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

export function faultOf(error: unknown): CallFault {
  if (error instanceof ProtocolError) return isStreamLost(error.data) ? "lost" : "answered";
  // A server refuses what it has not begun; 5xx may come in the middle.
  if (error instanceof SdkHttpError) return error.status >= 400 && error.status < 500 ? "refused" : "lost";
  if (error instanceof SdkError) return faultOfCode(error.code);
  if (error instanceof Error && error.message === "Not connected") return "refused";
  return NOT_CONNECTED.test(causeCodeOf(error)) ? "refused" : "lost";
}

function faultOfCode(code: SdkErrorCode): CallFault {
  if (code === SdkErrorCode.NotConnected || code === SdkErrorCode.SendFailed) return "refused";
  return code === SdkErrorCode.ConnectionClosed || code === SdkErrorCode.RequestTimeout ? "lost" : "answered";
}

function isStreamLost(data: unknown): boolean {
  return typeof data === "object" && data !== null && "lost" in data && data.lost === STREAM_LOST.lost;
}

/** `fetch` says no more than that it failed; its cause knows why. */
function causeCodeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "";
}
