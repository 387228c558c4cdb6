import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
/** NIST SP 800-38D, 8.2.2: 96 random bits, good for 2³² values under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_CHARS = 12;
/** What a stored text begins with when it is encrypted. A secret in clear begins with `whsec_`, a list of them with `[`. */
const MARK = "enc1.";

/** How secrets are written into the file. Its errors never hold a secret or a key. */
export interface SecretCipher {
  /** The keys it has, the one that encrypts first; none: secrets are kept in clear. */
  readonly keyIds: readonly string[];
  seal(callbackId: string, secret: string): string;
  /** Throws when the key is not there, or when the text was altered or belongs to another callback. */
  open(callbackId: string, stored: string): string;
  /** Whether `seal` would do it the same way today. */
  isCurrent(stored: string): boolean;
}

/**
 * AES-256-GCM with a random nonce for each value and the callback's id as additional data, so that a text moved to another row does not
 * open. Stored: `enc1.<key id>.<base64url of nonce, ciphertext, tag>`. `keys`: of 32 bytes, the first encrypts, all decrypt.
 */
export function createSecretCipher(keys: readonly Uint8Array[]): SecretCipher {
  const known = new Map(keys.map((key) => [keyIdOf(key), key]));
  const keyIds = [...known.keys()];
  const newest = [...known][0];

  return {
    keyIds,
    seal(callbackId, secret) {
      if (newest === undefined) return secret;
      const [keyId, key] = newest;
      return sealedPrefix(keyId) + encrypt(key, callbackId, secret);
    },
    open(callbackId, stored) {
      if (!stored.startsWith(MARK)) return stored;
      const [, keyId = "", text = ""] = stored.split(".");
      const key = known.get(keyId);
      if (key === undefined)
        throw new Error(`A secret of callback ${callbackId} is under a key that SECRETS_KEY lacks.`);
      return decrypt(key, callbackId, Buffer.from(text, "base64url"));
    },
    isCurrent: (stored) => stored.startsWith(newest === undefined ? "" : sealedPrefix(newest[0])),
  };
}

/** What every text encrypted under this key begins with. */
export function sealedPrefix(keyId: string): string {
  return `${MARK}${keyId}.`;
}

/** Tells nothing of the key, which is random. */
function keyIdOf(key: Uint8Array): string {
  return createHash("sha256").update("mcp-callbacks key id").update(key).digest("hex").slice(0, KEY_ID_CHARS);
}

function encrypt(key: Uint8Array, callbackId: string, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(callbackId));
  return Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]).toString(
    "base64url",
  );
}

function decrypt(key: Uint8Array, callbackId: string, sealed: Buffer): string {
  const tagAt = sealed.length - TAG_BYTES;
  if (tagAt < NONCE_BYTES) throw unreadable(callbackId);
  try {
    const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(callbackId)).setAuthTag(sealed.subarray(tagAt));
    return decipher.update(sealed.subarray(NONCE_BYTES, tagAt), undefined, "utf8") + decipher.final("utf8");
  } catch {
    throw unreadable(callbackId);
  }
}

function unreadable(callbackId: string): Error {
  return new Error(`A stored secret of callback ${callbackId} was altered and cannot be read.`);
}
