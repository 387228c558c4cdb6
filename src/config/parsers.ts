/** The parsers of the settings. Each throws a `SettingProblem` that says what the setting must be. */
import { isIP } from "node:net";
import { fileURLToPath } from "node:url";
import { parseSigningKey } from "../domain/signing-keys.ts";
import type { SigningKey } from "../domain/signing-keys.ts";

const TOKEN_CHARS_MIN = 8;
const SUBSCRIPTION_MS_MAX = 365 * 86_400_000;

/** The text of a setting is not valid. `message` continues the sentence that begins with the setting's name; it never contains a secret. */
export class SettingProblem extends Error {
  override readonly name = "SettingProblem";
}

/** One environment variable. */
export interface Setting<Value> {
  /** The heading of `--help` that lists it. */
  readonly group: string;
  /** One sentence. */
  readonly help: string;
  /** Throws a `SettingProblem`. */
  readonly parse: Parse<Value>;
  readonly defaultValue: Value;
  /** The default, in words for a person. */
  readonly shownDefault: string;
}

type Parse<Value> = (text: string) => Value | Promise<Value>;

interface Shown {
  /** The default in words; left out, the default itself is shown. */
  readonly shown?: string;
}

export function setting<Value>(
  group: string,
  help: string,
  parse: Parse<Value>,
  defaultValue: NoInfer<Value>,
  { shown = String(defaultValue) || "none" }: Shown = {},
): Setting<Value> {
  return { group, help, parse, defaultValue, shownDefault: shown };
}

/** A setting whose default is null. */
export function optional<Value>(
  group: string,
  help: string,
  parse: Parse<Value>,
  { shown = "none" }: Shown = {},
): Setting<Value | null> {
  return { group, help, parse, defaultValue: null, shownDefault: shown };
}

export function nonBlank(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") throw new SettingProblem("must not be blank");
  return trimmed;
}

export function oneOf<const Word extends string>(...words: readonly Word[]) {
  return (text: string): Word => {
    const word = words.find((known) => known === text);
    if (word === undefined) throw new SettingProblem(`must be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`);
    return word;
  };
}

export function wholeNumber(lowest: number, highest: number) {
  return (text: string): number => {
    if (/^\d{1,12}$/.test(text.trim()) && Number(text) >= lowest && Number(text) <= highest) return Number(text);
    throw new SettingProblem(`must be a whole number from ${lowest} to ${highest}, not ${JSON.stringify(text)}`);
  };
}

/** Fractions are allowed: 0.5 is twelve hours. */
export function days(highest: number, meaningOfZero: string) {
  return (text: string): number => {
    if (/^\d{1,6}(\.\d{1,9})?$/.test(text.trim()) && Number(text) <= highest) return Number(text);
    throw new SettingProblem(
      `must be a number of days from 0 (${meaningOfZero}) to ${highest}, not ${JSON.stringify(text)}`,
    );
  };
}

export function list(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** Host names or origins. There is no wildcard. */
export function hostNames(text: string): string[] {
  const names = list(text);
  const wrong = names.find((name) => /[*\s]/.test(name));
  if (wrong === undefined) return names;
  throw new SettingProblem(
    `must list each host by its full name, e.g. app.example.com; ${JSON.stringify(wrong)} would match no host`,
  );
}

export function parseBaseUrl(text: string): string {
  if (/^https?:\/\/[^?#]+$/i.test(text) && URL.canParse(text)) return text;
  throw new SettingProblem("must be an http(s) URL without query or fragment, e.g. https://callbacks.example.com");
}

export function parseNameServers(text: string): string[] {
  const servers = text.split(",").map((entry) => entry.trim());
  if (servers.every(isNameServer)) return servers;
  throw new SettingProblem("must be IP addresses separated by commas, e.g. 10.0.0.2, 10.0.0.3:5353, [2001:db8::1]:53");
}

function isNameServer(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const [, ipv6, ipv4 = "", port] = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const isPort = port === undefined || (Number(port) >= 1 && Number(port) <= 65_535);
  return isPort && (ipv6 === undefined ? isIP(ipv4) === 4 : isIP(ipv6) === 6);
}

/** `file:` and the path of the file, as the database, its log and its lock all use it. */
export function parseDatabaseUrl(text: string): string {
  const url = text.trim();
  const path = url.startsWith("file://") ? pathOfUrl(url) : url.slice("file:".length).trim();
  if (!url.startsWith("file:") || path === "")
    throw new SettingProblem('must be "file:" and a path, e.g. file:./data/callbacks.db');
  const problem = problemOfPath(path);
  if (problem !== null) throw new SettingProblem(problem);
  return `file:${path}`;
}

function pathOfUrl(url: string): string {
  try {
    const { host, search, hash } = new URL(url);
    if (host === "" && search + hash === "") return fileURLToPath(url);
  } catch {
    // No valid URL, or one whose path cannot be the name of a file.
  }
  throw new SettingProblem(
    'must have three slashes and an absolute path after "file:", without "?" and "#", e.g. file:///var/lib/callbacks.db; a relative path has none, e.g. file:./data/callbacks.db',
  );
}

function problemOfPath(path: string): string | null {
  if (path === ":memory:") return 'must name a file: what is in ":memory:" would be lost with the process';
  if (path.includes("?")) return 'must be a path without "?": parameters of SQLite cannot be set';
  if (path.startsWith("~")) return 'must not begin with "~", which only a shell replaces: write the whole path';
  // The driver removes blanks at the end of a name, and the lock would have another name than the database.
  if (path !== path.trim()) return "must not end with a blank";
  return path.includes("\0") ? "must not contain a zero character" : null;
}

export function parseTokens(text: string): { name: string; token: string }[] {
  const tokens = text.split(",").map((entry) => {
    const colon = entry.indexOf(":");
    return { name: entry.slice(0, Math.max(colon, 0)).trim(), token: entry.slice(colon + 1).trim() };
  });
  // The message does not repeat the entries: they are secrets.
  const names = new Set(tokens.map(({ name }) => name));
  if (tokens.some(({ name, token }) => !/^[\w.@-]{1,100}$/.test(name) || !/^\S+$/.test(token))) {
    throw new SettingProblem(
      "must be name:token pairs separated by commas, the names made of letters, digits and . _ @ -",
    );
  } else if (tokens.some(({ token }) => token.length < TOKEN_CHARS_MIN)) {
    throw new SettingProblem(
      `must not use tokens of fewer than ${TOKEN_CHARS_MIN} characters; \`openssl rand -base64 24\` makes a good one`,
    );
  } else if (new Set(tokens.map(({ token }) => token)).size < tokens.length) {
    throw new SettingProblem("must not use the same token for two names");
  } else if (names.has("local") || names.has("anonymous")) {
    throw new SettingProblem("must not use the names local and anonymous: they stand for callers without a token");
  }
  return tokens;
}

export function parseKeys(text: string): Uint8Array[] {
  const entries = text.split(",").map((entry) => entry.trim());
  // The message does not repeat the entries: they are secrets. The last two bits of the 43rd character are always zero.
  if (!entries.every((entry) => /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(entry))) {
    throw new SettingProblem(
      "must be keys of 32 random bytes in base64, separated by commas; `openssl rand -base64 32` makes one",
    );
  } else if (new Set(entries).size < entries.length) {
    throw new SettingProblem("must not contain a key twice");
  }
  return entries.map((entry) => Buffer.from(entry, "base64"));
}

export function parseSigningKeys(text: string): SigningKey[] {
  const keys = text.split(",").map((entry) => parseSigningKey(entry.trim()));
  const found = keys.filter((key) => key !== null);
  // The message does not repeat the entries: they are secrets.
  if (found.length < keys.length) {
    throw new SettingProblem(
      "must be Ed25519 private keys, each whsk_ and 32 random bytes in base64, separated by commas; `echo whsk_$(openssl rand -base64 32)` makes one",
    );
  }
  if (new Set(found.map(({ publicKey }) => publicKey.kid)).size < found.length) {
    throw new SettingProblem("must not contain a key twice");
  }
  return found;
}

/** The lifetime of a subscription, in milliseconds: the default, the minimum and the maximum. */
export function parseLifetime(text: string) {
  const [defaultMs = 0, minMs = 0, maxMs = 0, ...more] = text.split(",").map((entry) => Number(entry.trim()));
  const isInOrder = 1 <= minMs && minMs <= defaultMs && defaultMs <= maxMs && maxMs <= SUBSCRIPTION_MS_MAX;
  if (!isInOrder || more.length > 0 || ![defaultMs, minMs, maxMs].every(Number.isInteger)) {
    throw new SettingProblem(
      "must be three numbers of milliseconds: default,minimum,maximum, e.g. 3600000,60000,86400000",
    );
  }
  return { defaultMs, minMs, maxMs };
}

export function parseSchedule(text: string): number[] {
  if (text.trim() === "") return [];
  const waits = text.split(",").map((entry) => entry.trim());
  const WAIT_MS_MAX = 30 * 86_400_000;
  if (!waits.every((wait) => /^\d{1,10}$/.test(wait) && Number(wait) <= WAIT_MS_MAX) || waits.length > 100) {
    throw new SettingProblem(
      "must be waits in milliseconds separated by commas, at most 100 of at most 30 days, e.g. 5000,300000",
    );
  }
  return waits.map(Number);
}
