import { createDecipheriv, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { createSecretCipher } from "../../src/store/secret-cipher.ts";
import { A_SECRET } from "../support/builders.ts";

const [older, newer] = [randomBytes(32), randomBytes(32)];

test("an encrypted text does not contain the secret, differs each time, and can be decrypted", () => {
  const cipher = createSecretCipher([newer]);
  const encrypted = [cipher.encrypt("cb_1", A_SECRET), cipher.encrypt("cb_1", A_SECRET)];
  expect(new Set(encrypted).size).toBe(2);
  for (const one of encrypted) {
    expect(one).toMatch(/^enc1\.[0-9a-f]{12}\.[\w-]+$/);
    expect(one).not.toContain(A_SECRET.slice(6, 20));
    expect(cipher.decrypt("cb_1", one)).toBe(A_SECRET);
  }
});

test("it is AES-256-GCM over nonce, ciphertext and tag, with the callback's id as additional data", () => {
  const bytes = Buffer.from(createSecretCipher([newer]).encrypt("cb_1", A_SECRET).split(".")[2]!, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", newer, bytes.subarray(0, 12)).setAAD(Buffer.from("cb_1"));
  decipher.setAuthTag(bytes.subarray(-16));
  expect(decipher.update(bytes.subarray(12, -16), undefined, "utf8") + decipher.final("utf8")).toBe(A_SECRET);
});

test("the first key encrypts, all decrypt, and a text under another key or without encryption is not current", () => {
  const [before, after] = [createSecretCipher([older]), createSecretCipher([newer, older])];
  const old = before.encrypt("cb_1", A_SECRET);
  expect(after.decrypt("cb_1", old)).toBe(A_SECRET);
  expect([after.isCurrent(old), after.isCurrent(A_SECRET), after.isCurrent(after.encrypt("cb_1", A_SECRET))]).toEqual([
    false,
    false,
    true,
  ]);
  expect(after.decrypt("cb_1", A_SECRET)).toBe(A_SECRET);
  expect(after.keyIds[1]).toBe(before.keyIds[0]);
});

test("without a key secrets stay as they are", () => {
  const cipher = createSecretCipher([]);
  expect([cipher.encrypt("cb_1", A_SECRET), cipher.decrypt("cb_1", A_SECRET)]).toEqual([A_SECRET, A_SECRET]);
  expect([cipher.isCurrent(A_SECRET), cipher.keyIds]).toEqual([true, []]);
});

test("a text of another callback, an altered one, a shortened one and one under a missing key cannot be opened, and the error shows nothing of it", () => {
  const cipher = createSecretCipher([newer]);
  const encrypted = cipher.encrypt("cb_1", A_SECRET);
  const [mark, keyId, text] = encrypted.split(".");
  const altered = Buffer.from(text!, "base64url");
  altered[20]! ^= 1;
  expect(() => cipher.decrypt("cb_2", encrypted)).toThrow(
    /^A stored secret of callback cb_2 was altered and cannot be read.$/,
  );
  expect(() => cipher.decrypt("cb_1", `${mark}.${keyId}.${altered.toString("base64url")}`)).toThrow(/altered/);
  expect(() => cipher.decrypt("cb_1", `${mark}.${keyId}.AAAA`)).toThrow(/altered/);
  expect(() => createSecretCipher([older]).decrypt("cb_1", encrypted)).toThrow(
    /encrypted with a key that SECRETS_KEY does not have/,
  );
  expect(() => createSecretCipher([]).decrypt("cb_1", encrypted)).toThrow(/SECRETS_KEY/);
});
