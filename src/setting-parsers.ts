/** How the texts of the settings are read: each says in a sentence what it wants when it does not get it. */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { parseSigningKey } from "./domain/signing-keys.ts";
import type { SigningKey } from "./domain/signing-keys.ts";

const SUBSCRIPTION_MS_MAX = 365 * 86_400_000;
/** A bundle of all public authorities has 220 kB. */
const CA_FILE_BYTES_MAX = 1_048_576;
export function whole(lowest: number, highest: number) {
  return z
    .string()
    .refine((text) => /^\d{1,12}$/.test(text.trim()) && Number(text) >= lowest && Number(text) <= highest, {
      error: ({ input }) => `must be a whole number from ${lowest} to ${highest}, not ${JSON.stringify(input)}`,
    })
    .transform(Number);
}

/** Fractions are allowed: 0.5 is twelve hours. */
export function days(highest: number, meaningOfZero: string) {
  return z
    .string()
    .refine((text) => /^\d{1,6}(\.\d{1,9})?$/.test(text.trim()) && Number(text) <= highest, {
      error: ({ input }) =>
        `must be a number of days from 0 (${meaningOfZero}) to ${highest}, not ${JSON.stringify(input)}`,
    })
    .transform(Number);
}

export function list() {
  return z.string().transform((text) =>
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ""),
  );
}

export function parseTokens(text: string, context: z.RefinementCtx<string>): { name: string; token: string }[] {
  const tokens = text.split(",").map((entry) => {
    const colon = entry.indexOf(":");
    return { name: entry.slice(0, Math.max(colon, 0)).trim(), token: entry.slice(colon + 1).trim() };
  });
  // The entries are not repeated in the message: they are secrets.
  const names = new Set(tokens.map(({ name }) => name));
  if (tokens.some(({ name, token }) => !/^[\w.@-]{1,100}$/.test(name) || !/^\S+$/.test(token))) {
    context.addIssue("must be name:token pairs separated by commas, the names made of letters, digits and . _ @ -");
  } else if (new Set(tokens.map(({ token }) => token)).size < tokens.length) {
    context.addIssue("must not give one token to two names");
  } else if (names.has("local") || names.has("anonymous")) {
    context.addIssue("must not use the names local and anonymous: they stand for callers without a token");
  }
  return tokens;
}

/** The certificates of a PEM file, and nothing else of it: a private key that lies there too is not kept. */
export function readCertificates(file: string, context: z.RefinementCtx<string>): string {
  try {
    const stats = statSync(file);
    // A pipe or a device would keep the start waiting.
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > CA_FILE_BYTES_MAX) throw new Error(`it has more than ${CA_FILE_BYTES_MAX} bytes`);
    const found = readFileSync(file, "utf8").match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
    if (found.length === 0) throw new Error("it holds no certificate");
    return found.map((pem) => new X509Certificate(pem).toString()).join("");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.addIssue(`must name a file of PEM certificates, not ${JSON.stringify(file)}: ${why}`);
    return "";
  }
}

export function parseKeys(text: string, context: z.RefinementCtx<string>): Uint8Array[] {
  const entries = text.split(",").map((entry) => entry.trim());
  // The entries are not repeated in the message: they are secrets. The last of 43 characters has two bits that say nothing.
  if (!entries.every((entry) => /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(entry))) {
    context.addIssue(
      "must be keys of 32 random bytes in base64, separated by commas; `openssl rand -base64 32` makes one",
    );
  } else if (new Set(entries).size < entries.length) {
    context.addIssue("must not give a key twice");
  }
  return entries.map((entry) => Buffer.from(entry, "base64"));
}

export function parseSigningKeys(text: string, context: z.RefinementCtx<string>): SigningKey[] {
  const keys = text.split(",").map((entry) => parseSigningKey(entry.trim()));
  const found = keys.filter((key) => key !== null);
  // Again no entry is repeated.
  if (found.length < keys.length) {
    context.addIssue(
      "must be Ed25519 private keys, each whsk_ and 32 random bytes in base64, separated by commas; `echo whsk_$(openssl rand -base64 32)` makes one",
    );
  } else if (new Set(found.map(({ publicKey }) => publicKey.kid)).size < found.length) {
    context.addIssue("must not give a key twice");
  }
  return found;
}

/** How long subscriptions live when their clients have no wish, at least and at most. */
export function parseLifetime(text: string, context: z.RefinementCtx<string>) {
  const [defaultMs = 0, minMs = 0, maxMs = 0, ...more] = text.split(",").map((entry) => Number(entry.trim()));
  const isInOrder = 1 <= minMs && minMs <= defaultMs && defaultMs <= maxMs && maxMs <= SUBSCRIPTION_MS_MAX;
  if (!isInOrder || more.length > 0 || ![defaultMs, minMs, maxMs].every(Number.isInteger)) {
    context.addIssue("must be three numbers of milliseconds, default,shortest,longest, e.g. 3600000,60000,86400000");
  }
  return { defaultMs, minMs, maxMs };
}

export function parseSchedule(text: string, context: z.RefinementCtx<string>): number[] {
  if (text.trim() === "") return [];
  const waits = text.split(",").map((entry) => entry.trim());
  const WAIT_MS_MAX = 30 * 86_400_000;
  if (!waits.every((wait) => /^\d{1,10}$/.test(wait) && Number(wait) <= WAIT_MS_MAX) || waits.length > 100) {
    context.addIssue(
      "must be waits in milliseconds separated by commas, at most 100 of at most 30 days, e.g. 5000,300000",
    );
  }
  return waits.map(Number);
}
