/** Why a name has no addresses. `code`: c-ares' own, e.g. ENOTFOUND, ESERVFAIL, ETIMEOUT; or one of those below. */
export class NameLookupError extends Error {
  override readonly name = "NameLookupError";
  readonly code: string;

  constructor(code: string, hostname: string) {
    super(`The look-up of ${hostname} failed: ${code}`);
    this.code = code;
  }

  /** This process had no slot, descriptor or memory for the look-up: neither the receiver nor its name server is at fault. */
  get isLocal(): boolean {
    return LOCAL_CODES.has(this.code);
  }

  /** The name server says that the name has no addresses. */
  get isAbsence(): boolean {
    return this.code === "ENOTFOUND" || this.code === "ENODATA";
  }
}

/** All slots of the principal were in use for as long as the caller could wait. */
export const LOOKUP_SLOTS_BUSY = "LOOKUP_SLOTS_BUSY";

const LOCAL_CODES: ReadonlySet<string> = new Set([
  LOOKUP_SLOTS_BUSY,
  "ECANCELLED",
  "EDESTRUCTION",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ENOBUFS",
]);
