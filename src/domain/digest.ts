import { createHash, timingSafeEqual } from "node:crypto";

/** SHA-256 in base64url: what is kept of a secret that need only be recognised. */
export function digestOf(text: string): string {
  return digestBytes(text).toString("base64url");
}

/** Compares in a time that says nothing of where the texts differ. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestBytes(given), digestBytes(expected));
}

/** To be compared by `timingSafeEqual`. */
export function digestBytes(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
