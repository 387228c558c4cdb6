/**
 * What a caller did that we cannot carry out. The codes are the contract's and closed; every other error is a fault of ours,
 * which the doors log in full and show as nothing.
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

/** The store cannot write at the moment (disk full, file held by another program): a trouble that passes, so trying again helps. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

/** Why the server cannot start: `message` is one line for the operator that says what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
}
