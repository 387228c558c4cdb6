import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { DomainError } from "./errors.ts";
import type { SigningKey } from "./signing-keys.ts";

const PREFIX = "whsec_";
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const GENERATED_SECRET_BYTES = 32;

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
  if (isSecret(secret)) return secret;
  // The value is not repeated: it may be a real secret with a typing error.
  throw new DomainError(
    "invalid",
    `secret must be "${PREFIX}" followed by the base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} random bytes; leave it out to get one.`,
  );
}

export function isSecret(text: string): boolean {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : "";
  const bytes = /^[A-Za-z0-9+/]+={0,2}$/.test(encoded) && encoded.length % 4 === 0 ? keyOf(text).length : 0;
  return bytes >= SECRET_BYTES_MIN && bytes <= SECRET_BYTES_MAX;
}

/** The three Standard Webhooks headers: a signature for each secret, the newest first, and one for each key of this server. */
export function signatureHeaders(
  message: SignedMessage,
  secrets: readonly string[],
  keys: readonly SigningKey[],
): Record<string, string> {
  if (secrets.length === 0) throw new Error("There is no readable secret to sign with.");
  const content = `${message.id}.${message.timestamp}.${message.body}`;
  // With a key object it takes a quarter of the time that it takes with the bytes.
  const signatures = secrets.map(
    (secret) =>
      `v1,${createHmac("sha256", createSecretKey(keyOf(secret)))
        .update(content)
        .digest("base64")}`,
  );
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(message.timestamp),
    "webhook-signature": [...signatures, ...keys.map((key) => key.sign(content))].join(" "),
  };
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), "base64");
}
