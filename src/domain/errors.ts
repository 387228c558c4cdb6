/**
 * A request that cannot be carried out as asked. The contract has these codes and no others. Every other error is internal: the MCP
 * endpoint and the HTTP routes log it in full and show no detail.
 */
export type DomainErrorCode = "invalid" | "not_found" | "conflict" | "forbidden" | "limit";

export class DomainError extends Error {
  override readonly name: string = "DomainError";
  readonly code: DomainErrorCode;

  /** `message`: one sentence for the caller that says what to do; it never holds a secret. */
  constructor(code: DomainErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The store cannot write at the moment (disk full, file locked by another program). The caller may try again. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** Why the server cannot start: `message` is one line for the operator that says what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
}
