/**
 * The family of errors that a client can act on. The codes are fixed, and no others are added (docs/tools.md). `src/mcp/errors.ts` and
 * `src/http/api-error.ts` map them to answers. Any other error is internal: it is logged in full and answered without details.
 */
export type DomainErrorCode = "invalid" | "not_found" | "conflict" | "forbidden" | "limit";

export class DomainError extends Error {
  override readonly name: string = "DomainError";
  readonly code: DomainErrorCode;

  /** `message`: one sentence for the client that says what is wrong and what to do. It never holds a secret. */
  constructor(code: DomainErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The store cannot write at the moment (disk full, file locked by another program). Trying again later helps. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** The detail that a client gets of an internal error. The error itself is logged. */
export function adviceOnInternal(error: unknown): string {
  return error instanceof StoreUnavailable
    ? "the server cannot store anything at the moment; try again later"
    : "the server's log has the cause";
}

/** The server cannot start. `message`: one line for the operator that says what is wrong and what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
}
