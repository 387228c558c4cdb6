import { createPublicKey, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { signatureHeaders } from "../../src/domain/signature.ts";
import { parseSigningKey } from "../../src/domain/signing-keys.ts";
import { A_SECRET } from "../support/builders.ts";

/** RFC 8032, 7.1, test 1. */
const SEED = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
const PUBLIC = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");

const whsk = (...parts: Buffer[]): string => `whsk_${Buffer.concat(parts).toString("base64")}`;

describe("a signing key", () => {
  test.each([
    ["its seed", whsk(SEED)],
    ["its seed and public key", whsk(SEED, PUBLIC)],
  ])("is read from %s, with the public key of RFC 8032 and the thumbprint of RFC 8037", (_, text) => {
    expect(parseSigningKey(text)?.publicKey).toEqual({
      kty: "OKP",
      crv: "Ed25519",
      alg: "EdDSA",
      use: "sig",
      kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
      x: PUBLIC.toString("base64url"),
      whpk: `whpk_${PUBLIC.toString("base64")}`,
    });
  });

  test("makes the signature of RFC 8032", () => {
    const signature =
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    expect(parseSigningKey(whsk(SEED))?.sign("")).toBe(`v1a,${Buffer.from(signature, "hex").toString("base64")}`);
  });

  test.each([
    ["without its prefix", SEED.toString("base64")],
    ["a secret", `whsec_${SEED.toString("base64")}`],
    ["too short", whsk(SEED.subarray(1))],
    ["too long", whsk(SEED, PUBLIC, PUBLIC)],
    ["of two pairs", whsk(SEED, SEED)],
    ["no base64", "whsk_this is no base64"],
    ["base64url", `whsk_${Buffer.alloc(32, 255).toString("base64url")}`],
    ["empty", ""],
  ])("is not taken when it is %s", (_, text) => {
    expect(parseSigningKey(text)).toBeNull();
  });
});

test("keys sign beside the secrets, and receivers that know only secrets still verify", () => {
  const key = parseSigningKey(whsk(SEED))!;
  const message = { id: "evt_1", body: '{"result":"prêt 🎉"}', timestamp: Math.floor(Date.now() / 1000) };
  const headers = signatureHeaders(message, [A_SECRET], [key]);
  const [own, ofKey, ...more] = headers["webhook-signature"]!.split(" ");
  expect([own?.slice(0, 3), ofKey?.slice(0, 4), more]).toEqual(["v1,", "v1a,", []]);
  expect(new Webhook(A_SECRET).verify(message.body, headers)).toEqual({ result: "prêt 🎉" });
  const { kty, crv, x } = key.publicKey;
  const publicKey = createPublicKey({ key: { kty, crv, x }, format: "jwk" });
  const content = `${message.id}.${message.timestamp}.${message.body}`;
  const signature = Buffer.from(ofKey!.slice(4), "base64");
  expect(verify(null, Buffer.from(content), publicKey, signature)).toBe(true);
  expect(verify(null, Buffer.from(`${content} `), publicKey, signature)).toBe(false);
});
