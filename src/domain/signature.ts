import { hash, randomBytes } from "node:crypto";
import { DomainError } from "./errors.ts";

const PREFIX = "whsec_";
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const GENERATED_SECRET_BYTES = 32;

/** Of SHA-256, and what HMAC mixes into the key. No secret is longer than a block. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

export interface SignedMessage {
  /** The event's id: the same on every retry. */
  readonly id: string;
  readonly body: string;
  /** Unix seconds of this attempt. */
  readonly timestamp: number;
}

export function generateSecret(): string {
  return PREFIX + randomBytes(GENERATED_SECRET_BYTES).toString("base64");
}

/** Returns `secret` when it is `whsec_` and the base64 of 24 to 64 bytes (Standard Webhooks 1.0.0, "Signature scheme"); throws `invalid`. */
export function requireSecret(secret: string): string {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : "";
  const bytes = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) && encoded.length % 4 === 0 ? keyOf(secret).length : 0;
  if (bytes >= SECRET_BYTES_MIN && bytes <= SECRET_BYTES_MAX) return secret;
  // The value is not repeated: it may be a real secret with a typing error.
  throw new DomainError(
    "invalid",
    `secret must be "${PREFIX}" followed by the base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} random bytes; leave it out to get one.`,
  );
}

/** The three Standard Webhooks headers, one signature for each secret, the newest first. */
export function signatureHeaders(message: SignedMessage, secrets: readonly string[]): Record<string, string> {
  if (secrets.length === 0) throw new Error("There is no readable secret to sign with.");
  const content = `${message.id}.${message.timestamp}.${message.body}`;
  const signatures = secrets.map((secret) => `v1,${hmac(keyOf(secret), content)}`);
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(message.timestamp),
    "webhook-signature": signatures.join(" "),
  };
}

/**
 * HMAC-SHA256 (RFC 2104) in base64, for keys of up to one block. `createHmac` makes a key object first, which takes longer than both
 * hashes together.
 */
function hmac(key: Uint8Array, content: string): string {
  const inner = Buffer.alloc(BLOCK_BYTES + Buffer.byteLength(content), INNER_PAD);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, OUTER_PAD);
  for (const [index, byte] of key.entries()) {
    inner[index] = byte ^ INNER_PAD;
    outer[index] = byte ^ OUTER_PAD;
  }
  inner.write(content, BLOCK_BYTES);
  outer.set(hash("sha256", inner, "buffer"), BLOCK_BYTES);
  return hash("sha256", outer, "base64");
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), "base64");
}
