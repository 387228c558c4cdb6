import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { z } from "zod";
import { DEFAULT_RETRY_POLICY } from "./domain/retry-policy.ts";

/** A bundle of all public authorities has 220 kB. */
const CA_FILE_BYTES_MAX = 1_048_576;
const DAY_MS = 86_400_000;

/** Every setting: its environment variable, default and meaning. README's table is compared with this list by a test. */
const settings = z.object({
  HOST: z.string().trim().min(1).default("127.0.0.1"),
  PORT: whole(0, 65_535).default(8011),
  PUBLIC_URL: z
    .string()
    .refine(isBaseUrl, "must be an http(s) URL without query or fragment, e.g. https://callbacks.example.com")
    .optional(),
  ALLOWED_HOSTS: list().default([]),
  ALLOWED_ORIGINS: list().default([]),
  AUTH_TOKENS: z.string().transform(parseTokens).default([]),
  ALLOW_ANONYMOUS: z.enum(["true", "false"], "must be true or false").default("false"),
  DATABASE_URL: z
    .string()
    .refine((url) => /^file:./.test(url), 'must be "file:" and a path, e.g. file:./data/callbacks.db')
    .default("file:./data/callbacks.db"),
  SERVER_NAME: z.string().trim().min(1).default("FastMCP TrovabandoServer - Webhook Callbacks"),
  DEMO_TASK_MS: whole(0, 86_400_000).default(10_000),
  RUN_TASK_WAIT_MS: whole(0, 3_600_000).default(50_000),
  LOG_FORMAT: z.enum(["pretty", "json"], "must be pretty or json").optional(),
  LOG_LEVEL: z
    .enum(["debug", "info", "warn", "error", "silent"], "must be debug, info, warn, error or silent")
    .default("info"),
  CALLBACK_ALLOW_PRIVATE: z.enum(["none", "loopback", "private"], "must be none, loopback or private").optional(),
  CALLBACK_CA_FILE: z.string().transform(readCertificates).optional(),
  RETRY_SCHEDULE_MS: z.string().transform(parseSchedule).optional(),
  ATTEMPT_TIMEOUT_MS: whole(1, 600_000).default(15_000),
  RETENTION_DAYS: days(36_500).default(30),
  SECRETS_KEY: z.string().transform(parseKeys).default([]),
});

/** Not for those who run the server, and in no table: what its own tests need. */
const testSettings = z.object({
  TEST_FIXTURES: z.enum(["true", "false"], "must be true or false").default("false"),
});

export type Config = Readonly<ReturnType<typeof parseConfig>>;

/** The settings do not hold: `message` lists every problem, one line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the environment into one frozen Config. An empty variable counts as not set, except RETRY_SCHEDULE_MS (one attempt). */
export function readConfig(env: NodeJS.ProcessEnv, isTerminal: boolean): Config {
  return Object.freeze(parseConfig(env, isTerminal));
}

export const SETTING_NAMES: readonly string[] = Object.keys(settings.shape);

const allSettings = z.object({ ...settings.shape, ...testSettings.shape });

function parseConfig(env: NodeJS.ProcessEnv, isTerminal: boolean) {
  const given = Object.keys(allSettings.shape).filter(
    (name) => env[name] !== undefined && (env[name] !== "" || name === "RETRY_SCHEDULE_MS"),
  );
  const parsed = allSettings.safeParse(Object.fromEntries(given.map((name) => [name, env[name]])));
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  problems.push(...problemsOfExposure(env));
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems.join("\n"));
  const values = parsed.data;
  const isLoopback = isLoopbackHost(values.HOST);
  const ownHosts = ["localhost", "127.0.0.1", "[::1]", values.HOST, values.PUBLIC_URL ?? []].flat().map(hostNameOf);
  return {
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    /** Host names without port, as the Host and Origin headers on /mcp may name them. */
    allowedHosts: [...ownHosts, ...values.ALLOWED_HOSTS.map(hostNameOf)],
    allowedOrigins: [...ownHosts, ...values.ALLOWED_ORIGINS.map(hostNameOf)],
    accessTokens: values.AUTH_TOKENS,
    principalWithoutTokens: isLoopback ? ("local" as const) : ("anonymous" as const),
    databaseUrl: values.DATABASE_URL,
    serverName: values.SERVER_NAME,
    demoTaskMs: values.DEMO_TASK_MS,
    runTaskWaitMs: values.RUN_TASK_WAIT_MS,
    logFormat: values.LOG_FORMAT ?? (isTerminal ? ("pretty" as const) : ("json" as const)),
    logLevel: values.LOG_LEVEL,
    privateTargets: values.CALLBACK_ALLOW_PRIVATE ?? (isLoopback ? ("loopback" as const) : ("none" as const)),
    /** PEM certificates, or null. */
    callbackCa: values.CALLBACK_CA_FILE ?? null,
    retryPolicy:
      values.RETRY_SCHEDULE_MS === undefined ? DEFAULT_RETRY_POLICY : { waitsMs: values.RETRY_SCHEDULE_MS, jitter: 0 },
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT_MS,
    /** Null: history is kept for ever. */
    retentionMs: values.RETENTION_DAYS === 0 ? null : values.RETENTION_DAYS * DAY_MS,
    /** The first encrypts, all decrypt; none: secrets are kept in clear. */
    secretsKeys: values.SECRETS_KEY,
    testFixtures: values.TEST_FIXTURES === "true",
  };
}

/** Listening on the network without tokens is a decision, so it must be said; the fixtures have no business there. */
function problemsOfExposure(env: NodeJS.ProcessEnv): string[] {
  const host = env["HOST"]?.trim() || "127.0.0.1";
  if (isLoopbackHost(host)) return [];
  const isOpen = (env["AUTH_TOKENS"] ?? "") === "" && env["ALLOW_ANONYMOUS"] !== "true";
  return [
    isOpen
      ? `HOST=${host} can be reached by others: set AUTH_TOKENS=name:token,… or, to let everybody in, ALLOW_ANONYMOUS=true`
      : [],
    env["TEST_FIXTURES"] === "true"
      ? `TEST_FIXTURES=true serves tools that are made for tests: leave it out, since HOST=${host} can be reached by others`
      : [],
  ].flat();
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

/** The host name of a host, host:port, origin or URL; an IPv6 address in brackets. */
function hostNameOf(text: string): string {
  const url = text.includes("://") ? text : `http://${isIP(text) === 6 ? `[${text}]` : text}`;
  return URL.canParse(url) ? new URL(url).hostname : text;
}

function isBaseUrl(text: string): boolean {
  return /^https?:\/\/[^?#]+$/i.test(text) && URL.canParse(text);
}

function whole(lowest: number, highest: number) {
  return z
    .string()
    .refine((text) => /^\d{1,12}$/.test(text.trim()) && Number(text) >= lowest && Number(text) <= highest, {
      error: ({ input }) => `must be a whole number from ${lowest} to ${highest}, not ${JSON.stringify(input)}`,
    })
    .transform(Number);
}

/** Fractions are allowed: 0.5 is twelve hours. */
function days(highest: number) {
  return z
    .string()
    .refine((text) => /^\d{1,6}(\.\d{1,9})?$/.test(text.trim()) && Number(text) <= highest, {
      error: ({ input }) => `must be a number of days from 0 (for ever) to ${highest}, not ${JSON.stringify(input)}`,
    })
    .transform(Number);
}

function list() {
  return z.string().transform((text) =>
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ""),
  );
}

function parseTokens(text: string, context: z.RefinementCtx<string>): { name: string; token: string }[] {
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
function readCertificates(file: string, context: z.RefinementCtx<string>): string {
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

function parseKeys(text: string, context: z.RefinementCtx<string>): Uint8Array[] {
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

function parseSchedule(text: string, context: z.RefinementCtx<string>): number[] {
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
