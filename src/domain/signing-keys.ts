/** This server's keys. With the public ones every receiver can verify that a POST is of this server. Standard Webhooks 1.0.0, "v1a". */
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { digestOf } from "./digest.ts";

export interface SigningKey {
  /** The signature as the header has it: `v1a,` and base64. */
  sign(content: string): string;
  readonly publicKey: PublicKey;
}

/** A JSON Web Key (RFC 7517, RFC 8037). */
export interface PublicKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly alg: "EdDSA";
  readonly use: "sig";
  /** Its thumbprint (RFC 7638). */
  readonly kid: string;
  readonly x: string;
  /** The same in the form of Standard Webhooks. */
  readonly whpk: string;
}

const PREFIX = "whsk_";
const SEED_BYTES = 32;
/** Of an Ed25519 private key in PKCS #8 (RFC 8410), up to the seed. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

/** `whsk_` and the base64 of the 32-byte seed, or of the seed and the public key after it. Null: the text is neither. */
export function parseSigningKey(text: string): SigningKey | null {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : "";
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.toString("base64") !== encoded || ![SEED_BYTES, SEED_BYTES * 2].includes(bytes.length)) return null;
  const seed = bytes.subarray(0, SEED_BYTES);
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  const raw = Buffer.from(x, "base64url");
  if (bytes.length > SEED_BYTES && !bytes.subarray(SEED_BYTES).equals(raw)) return null;
  return {
    sign: (content) => `v1a,${sign(null, Buffer.from(content), privateKey).toString("base64")}`,
    publicKey: publicKeyOf(x, `whpk_${raw.toString("base64")}`),
  };
}

function publicKeyOf(x: string, whpk: string): PublicKey {
  const named = { crv: "Ed25519", kty: "OKP", x } as const;
  const kid = digestOf(JSON.stringify(named));
  return { ...named, alg: "EdDSA", use: "sig", kid, whpk };
}
