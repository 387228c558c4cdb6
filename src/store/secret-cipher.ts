import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
/** NIST SP 800-38D, 8.2.2: 96 random bits, safe for 2³² values under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_CHARS = 12;
/** The prefix of an encrypted text. A secret that is not encrypted begins with `whsec_`, a list of them with `[`. */
const ENCRYPTED_PREFIX = "enc1.";

/** How secrets are written into the database. Its errors never contain a secret or a key. */
export interface SecretCipher {
  /** The ids of its keys; the first key encrypts. Without a key, secrets are not encrypted. */
  readonly keyIds: readonly string[];
  encrypt(callbackId: string, secret: string): string;
  /** Throws when the key is missing, when the text was altered, or when it belongs to another callback. */
  decrypt(callbackId: string, stored: string): string;
  /** Whether the text is encrypted under the newest key, or not encrypted where there is no key. */
  isCurrent(stored: string): boolean;
}

/**
 * AES-256-GCM with a random nonce for each value. The callback's id is the additional data, so a text that was moved to another row cannot
 * be decrypted. Stored: `enc1.<key id>.<base64url of nonce, ciphertext, tag>`. Each key has 32 bytes; the first encrypts, all decrypt.
 */
export function createSecretCipher(keys: readonly Uint8Array[]): SecretCipher {
  const known = new Map(keys.map((key) => [keyIdOf(key), key]));
  const keyIds = [...known.keys()];
  const newest = [...known][0];

  return {
    keyIds,
    encrypt(callbackId, secret) {
      if (newest === undefined) return secret;
      const [keyId, key] = newest;
      return encryptedPrefix(keyId) + encryptWith(key, callbackId, secret);
    },
    decrypt(callbackId, stored) {
      if (!stored.startsWith(ENCRYPTED_PREFIX)) return stored;
      const [, keyId = "", text = ""] = stored.split(".");
      const key = known.get(keyId);
      if (key === undefined)
        throw new Error(`A secret of callback ${callbackId} is encrypted with a key that SECRETS_KEY does not have.`);
      return decryptWith(key, callbackId, Buffer.from(text, "base64url"));
    },
    isCurrent: (stored) => stored.startsWith(newest === undefined ? "" : encryptedPrefix(newest[0])),
  };
}

/** The prefix of each text that is encrypted under this key. */
export function encryptedPrefix(keyId: string): string {
  return `${ENCRYPTED_PREFIX}${keyId}.`;
}

/** Reveals nothing about the key, which is random. */
function keyIdOf(key: Uint8Array): string {
  return createHash("sha256").update("mcp-callbacks key id").update(key).digest("hex").slice(0, KEY_ID_CHARS);
}

function encryptWith(key: Uint8Array, callbackId: string, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(callbackId));
  return Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]).toString(
    "base64url",
  );
}

function decryptWith(key: Uint8Array, callbackId: string, encrypted: Buffer): string {
  const tagAt = encrypted.length - TAG_BYTES;
  if (tagAt < NONCE_BYTES) throw unreadable(callbackId);
  try {
    const decipher = createDecipheriv(ALGORITHM, key, encrypted.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(callbackId)).setAuthTag(encrypted.subarray(tagAt));
    return decipher.update(encrypted.subarray(NONCE_BYTES, tagAt), undefined, "utf8") + decipher.final("utf8");
  } catch {
    throw unreadable(callbackId);
  }
}

function unreadable(callbackId: string): Error {
  return new Error(`A stored secret of callback ${callbackId} was altered and cannot be read.`);
}
