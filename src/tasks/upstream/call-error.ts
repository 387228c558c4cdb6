/** Why a call to an upstream server brought no result: the kind says whether the tool may have run. */
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from "@modelcontextprotocol/client";
import { STREAM_LOST } from "./transport.ts";

/**
 * refused: the call did not reach the tool, so it can be made again. lost: the connection was lost, and the tool may have run. answered:
 * the server answered with an error, or with something that is not a result.
 */
export type CallErrorKind = "refused" | "lost" | "answered";

/** A call failed. `message`: a sentence for clients. */
export class UpstreamCallError extends Error {
  override readonly name = "UpstreamCallError";
  readonly kind: CallErrorKind;

  constructor(kind: CallErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

const NOT_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

export function callErrorKindOf(error: unknown): CallErrorKind {
  if (error instanceof ProtocolError) return isStreamLost(error.data) ? "lost" : "answered";
  // A server answers 4xx before the tool runs; 5xx may come while it runs.
  if (error instanceof SdkHttpError) return error.status >= 400 && error.status < 500 ? "refused" : "lost";
  if (error instanceof SdkError) return kindOfCode(error.code);
  if (error instanceof Error && error.message === "Not connected") return "refused";
  return NOT_CONNECTED.test(causeCodeOf(error)) ? "refused" : "lost";
}

function kindOfCode(code: SdkErrorCode): CallErrorKind {
  if (code === SdkErrorCode.NotConnected || code === SdkErrorCode.SendFailed) return "refused";
  return code === SdkErrorCode.ConnectionClosed || code === SdkErrorCode.RequestTimeout ? "lost" : "answered";
}

function isStreamLost(data: unknown): boolean {
  return typeof data === "object" && data !== null && "lost" in data && data.lost === STREAM_LOST.lost;
}

/** The error of `fetch` has no code; its cause has one. */
function causeCodeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "";
}
