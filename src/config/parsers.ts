/** How the texts of the settings are read: each says in a sentence what it wants when it does not get it. */
import { parseSigningKey } from "../domain/signing-keys.ts";
import type { SigningKey } from "../domain/signing-keys.ts";

const SUBSCRIPTION_MS_MAX = 365 * 86_400_000;

/** What is wrong with a text: `message` goes on after the name of its setting, and never holds a secret. */
export class SettingProblem extends Error {
  override readonly name = "SettingProblem";
}

/** One environment variable. */
export interface Setting<Value> {
  /** Under which `--help` lists it. */
  readonly group: string;
  /** One sentence. */
  readonly help: string;
  /** Throws a `SettingProblem`. */
  readonly parse: Parse<Value>;
  /** The default. */
  readonly otherwise: Value;
  /** The default as a person reads it. */
  readonly shownDefault: string;
}

type Parse<Value> = (given: string) => Value | Promise<Value>;

interface Shown {
  /** Instead of the default itself. */
  readonly shown?: string;
}

export function setting<Value>(
  group: string,
  help: string,
  parse: Parse<Value>,
  otherwise: NoInfer<Value>,
  { shown = String(otherwise) || "none" }: Shown = {},
): Setting<Value> {
  return { group, help, parse, otherwise, shownDefault: shown };
}

/** Null without one. */
export function optional<Value>(
  group: string,
  help: string,
  parse: Parse<Value>,
  { shown = "none" }: Shown = {},
): Setting<Value | null> {
  return { group, help, parse, otherwise: null, shownDefault: shown };
}

export function nonBlank(given: string): string {
  const trimmed = given.trim();
  if (trimmed === "") throw new SettingProblem("must not be blank");
  return trimmed;
}

export function oneOf<const Word extends string>(...words: readonly Word[]) {
  return (given: string): Word => {
    const word = words.find((known) => known === given);
    if (word === undefined) throw new SettingProblem(`must be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`);
    return word;
  };
}

export function whole(lowest: number, highest: number) {
  return (given: string): number => {
    if (/^\d{1,12}$/.test(given.trim()) && Number(given) >= lowest && Number(given) <= highest) return Number(given);
    throw new SettingProblem(`must be a whole number from ${lowest} to ${highest}, not ${JSON.stringify(given)}`);
  };
}

/** Fractions are allowed: 0.5 is twelve hours. */
export function days(highest: number, meaningOfZero: string) {
  return (given: string): number => {
    if (/^\d{1,6}(\.\d{1,9})?$/.test(given.trim()) && Number(given) <= highest) return Number(given);
    throw new SettingProblem(
      `must be a number of days from 0 (${meaningOfZero}) to ${highest}, not ${JSON.stringify(given)}`,
    );
  };
}

export function list(given: string): string[] {
  return given
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** Host names or origins, each by itself: there is no wildcard. */
export function hostNames(given: string): string[] {
  const names = list(given);
  const wrong = names.find((name) => /[*\s]/.test(name));
  if (wrong === undefined) return names;
  throw new SettingProblem(
    `must name each host by itself, e.g. app.example.com: ${JSON.stringify(wrong)} accepts nothing`,
  );
}

export function parseBaseUrl(given: string): string {
  if (/^https?:\/\/[^?#]+$/i.test(given) && URL.canParse(given)) return given;
  throw new SettingProblem("must be an http(s) URL without query or fragment, e.g. https://callbacks.example.com");
}

export function parseDatabaseUrl(given: string): string {
  if (/^file:./.test(given)) return given;
  throw new SettingProblem('must be "file:" and a path, e.g. file:./data/callbacks.db');
}

export function parseTokens(given: string): { name: string; token: string }[] {
  const tokens = given.split(",").map((entry) => {
    const colon = entry.indexOf(":");
    return { name: entry.slice(0, Math.max(colon, 0)).trim(), token: entry.slice(colon + 1).trim() };
  });
  // The entries are not repeated in the message: they are secrets.
  const names = new Set(tokens.map(({ name }) => name));
  if (tokens.some(({ name, token }) => !/^[\w.@-]{1,100}$/.test(name) || !/^\S+$/.test(token))) {
    throw new SettingProblem(
      "must be name:token pairs separated by commas, the names made of letters, digits and . _ @ -",
    );
  } else if (new Set(tokens.map(({ token }) => token)).size < tokens.length) {
    throw new SettingProblem("must not give one token to two names");
  } else if (names.has("local") || names.has("anonymous")) {
    throw new SettingProblem("must not use the names local and anonymous: they stand for callers without a token");
  }
  return tokens;
}

export function parseKeys(given: string): Uint8Array[] {
  const entries = given.split(",").map((entry) => entry.trim());
  // The entries are not repeated in the message: they are secrets. The last of 43 characters has two bits that say nothing.
  if (!entries.every((entry) => /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(entry))) {
    throw new SettingProblem(
      "must be keys of 32 random bytes in base64, separated by commas; `openssl rand -base64 32` makes one",
    );
  } else if (new Set(entries).size < entries.length) {
    throw new SettingProblem("must not give a key twice");
  }
  return entries.map((entry) => Buffer.from(entry, "base64"));
}

export function parseSigningKeys(given: string): SigningKey[] {
  const keys = given.split(",").map((entry) => parseSigningKey(entry.trim()));
  const found = keys.filter((key) => key !== null);
  // Again no entry is repeated.
  if (found.length < keys.length) {
    throw new SettingProblem(
      "must be Ed25519 private keys, each whsk_ and 32 random bytes in base64, separated by commas; `echo whsk_$(openssl rand -base64 32)` makes one",
    );
  }
  if (new Set(found.map(({ publicKey }) => publicKey.kid)).size < found.length) {
    throw new SettingProblem("must not give a key twice");
  }
  return found;
}

/** How long subscriptions live when their clients have no wish, at least and at most. */
export function parseLifetime(given: string) {
  const [defaultMs = 0, minMs = 0, maxMs = 0, ...more] = given.split(",").map((entry) => Number(entry.trim()));
  const isInOrder = 1 <= minMs && minMs <= defaultMs && defaultMs <= maxMs && maxMs <= SUBSCRIPTION_MS_MAX;
  if (!isInOrder || more.length > 0 || ![defaultMs, minMs, maxMs].every(Number.isInteger)) {
    throw new SettingProblem(
      "must be three numbers of milliseconds, default,shortest,longest, e.g. 3600000,60000,86400000",
    );
  }
  return { defaultMs, minMs, maxMs };
}

export function parseSchedule(given: string): number[] {
  if (given.trim() === "") return [];
  const waits = given.split(",").map((entry) => entry.trim());
  const WAIT_MS_MAX = 30 * 86_400_000;
  if (!waits.every((wait) => /^\d{1,10}$/.test(wait) && Number(wait) <= WAIT_MS_MAX) || waits.length > 100) {
    throw new SettingProblem(
      "must be waits in milliseconds separated by commas, at most 100 of at most 30 days, e.g. 5000,300000",
    );
  }
  return waits.map(Number);
}
