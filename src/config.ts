import { isIP } from "node:net";
import { z } from "zod";
import { DISABLE_FAILURES_MIN } from "./domain/callback-health.ts";
import { DEFAULT_RETRY_POLICY, EVENTS_RETRY_POLICY } from "./domain/retry-policy.ts";
import {
  whole,
  days,
  list,
  parseTokens,
  readCertificates,
  parseKeys,
  parseSigningKeys,
  parseLifetime,
  parseSchedule,
} from "./setting-parsers.ts";
import { readUpstreams } from "./upstream-settings.ts";

const HOUR_MS = 3_600_000;
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
  WORKER_TOKENS: z.string().transform(parseTokens).default([]),
  WORKER_LEASE_MS: whole(1000, 86_400_000).default(60_000),
  COMPLETION_URL_TTL_MS: whole(1000, 30 * 86_400_000).default(7 * 86_400_000),
  ALLOW_ANONYMOUS: z.enum(["true", "false"], "must be true or false").default("false"),
  DATABASE_URL: z
    .string()
    .refine((url) => /^file:./.test(url), 'must be "file:" and a path, e.g. file:./data/callbacks.db')
    .default("file:./data/callbacks.db"),
  SERVER_NAME: z.string().trim().min(1).default("FastMCP TrovabandoServer - Webhook Callbacks"),
  TASKS_MODULE: list().default([]),
  TASKS_RUNNING_MAX: whole(1, 100_000).default(1000),
  TASKS_STOP_GRACE_MS: whole(0, 8000).default(5000),
  TASKS_STALL_MS: whole(0, 86_400_000).default(60_000),
  PROGRESS_EVENT_INTERVAL_MS: whole(100, 3_600_000).default(5000),
  DEMO_TASK_MS: whole(0, 86_400_000).default(10_000),
  RUN_TASK_WAIT_MS: whole(0, 3_600_000).default(50_000),
  UPSTREAMS: z.string().optional(),
  ENABLE_HTTP_TASKS: z.enum(["true", "false"], "must be true or false").default("false"),
  LOG_FORMAT: z.enum(["pretty", "json"], "must be pretty or json").optional(),
  LOG_LEVEL: z
    .enum(["debug", "info", "warn", "error", "silent"], "must be debug, info, warn, error or silent")
    .default("info"),
  CALLBACK_ALLOW_PRIVATE: z.enum(["none", "loopback", "private"], "must be none, loopback or private").optional(),
  CALLBACK_CA_FILE: z.string().transform(readCertificates).optional(),
  RETRY_SCHEDULE_MS: z.string().transform(parseSchedule).optional(),
  ATTEMPT_TIMEOUT_MS: whole(1, 600_000).default(15_000),
  DISABLE_AFTER_DAYS: days(36_500, "never").default(5),
  RETENTION_DAYS: days(36_500, "for ever").default(30),
  SECRETS_KEY: z.string().transform(parseKeys).default([]),
  SIGNING_KEY: z.string().transform(parseSigningKeys).default([]),
  EVENTS_ERROR_CODES: z.enum(["sketch", "sep"], "must be sketch or sep").default("sketch"),
  EVENTS_WEBHOOK_ID: z.enum(["event", "message"], "must be event or message").default("event"),
  EVENTS_UNKNOWN_UNSUBSCRIBE: z.enum(["ok", "not_found"], "must be ok or not_found").default("ok"),
  EVENTS_SEND_TERMINATED: z.enum(["true", "false"], "must be true or false").default("true"),
  EVENTS_TTL_MS: z.string().transform(parseLifetime).default({ defaultMs: HOUR_MS, minMs: 60_000, maxMs: DAY_MS }),
  EVENTS_ALLOW_NO_EXPIRY: z.enum(["true", "false"], "must be true or false").default("false"),
  EVENTS_SUBSCRIPTIONS_MAX: whole(0, 100_000).default(1000),
  EVENTS_RETRY_SCHEDULE_MS: z.string().transform(parseSchedule).optional(),
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

/** Reads the environment into one frozen Config. An empty variable counts as not set, except a retry schedule (one attempt). */
export function readConfig(env: NodeJS.ProcessEnv, isTerminal: boolean): Config {
  return Object.freeze(parseConfig(env, isTerminal));
}

export const SETTING_NAMES: readonly string[] = Object.keys(settings.shape);

const allSettings = z.object({ ...settings.shape, ...testSettings.shape });

function parseConfig(env: NodeJS.ProcessEnv, isTerminal: boolean) {
  const given = Object.keys(allSettings.shape).filter(
    (name) => env[name] !== undefined && (env[name] !== "" || name.endsWith("RETRY_SCHEDULE_MS")),
  );
  const parsed = allSettings.safeParse(Object.fromEntries(given.map((name) => [name, env[name]])));
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  const { upstreams, problems: problemsOfUpstreams } = readUpstreams(env["UPSTREAMS"], env);
  problems.push(...problemsOfExposure(env), ...problemsOfUpstreams);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems.join("\n"));
  const values = parsed.data;
  const isLoopback = isLoopbackHost(values.HOST);
  const ownHosts = ["localhost", "127.0.0.1", "[::1]", values.HOST, values.PUBLIC_URL ?? []].flat().map(hostNameOf);
  return {
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    /** Others are told to come, as through a proxy, and nobody has said that they need no token. */
    isOpenUnawares:
      values.PUBLIC_URL !== undefined &&
      !isLoopbackHost(hostNameOf(values.PUBLIC_URL)) &&
      values.AUTH_TOKENS.length === 0 &&
      values.ALLOW_ANONYMOUS !== "true",
    /** Host names without port, as the Host and Origin headers on /mcp may name them. */
    allowedHosts: [...ownHosts, ...values.ALLOWED_HOSTS.map(hostNameOf)],
    allowedOrigins: [...ownHosts, ...values.ALLOWED_ORIGINS.map(hostNameOf)],
    accessTokens: values.AUTH_TOKENS,
    /** None: there is no API for workers. */
    workerTokens: values.WORKER_TOKENS,
    workerLeaseMs: values.WORKER_LEASE_MS,
    completionUrlTtlMs: values.COMPLETION_URL_TTL_MS,
    principalWithoutTokens: isLoopback ? ("local" as const) : ("anonymous" as const),
    databaseUrl: values.DATABASE_URL,
    serverName: values.SERVER_NAME,
    /** Files that export task types. */
    taskModules: values.TASKS_MODULE,
    tasksRunningMax: values.TASKS_RUNNING_MAX,
    tasksStopGraceMs: values.TASKS_STOP_GRACE_MS,
    /** Null: a handler may hold up everything for as long as it likes. */
    tasksStallMs: values.TASKS_STALL_MS === 0 ? null : values.TASKS_STALL_MS,
    progressEventIntervalMs: values.PROGRESS_EVENT_INTERVAL_MS,
    demoTaskMs: values.DEMO_TASK_MS,
    runTaskWaitMs: values.RUN_TASK_WAIT_MS,
    upstreams,
    httpTasks: values.ENABLE_HTTP_TASKS === "true",
    logFormat: values.LOG_FORMAT ?? (isTerminal ? ("pretty" as const) : ("json" as const)),
    logLevel: values.LOG_LEVEL,
    privateTargets: values.CALLBACK_ALLOW_PRIVATE ?? (isLoopback ? ("loopback" as const) : ("none" as const)),
    /** PEM certificates, or null. */
    callbackCa: values.CALLBACK_CA_FILE ?? null,
    retryPolicy:
      values.RETRY_SCHEDULE_MS === undefined ? DEFAULT_RETRY_POLICY : { waitsMs: values.RETRY_SCHEDULE_MS, jitter: 0 },
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT_MS,
    /** Null: however long a callback fails, it is not disabled for that. */
    disablePolicy:
      values.DISABLE_AFTER_DAYS === 0
        ? null
        : { forMs: values.DISABLE_AFTER_DAYS * DAY_MS, failuresMin: DISABLE_FAILURES_MIN },
    /** Null: history is kept for ever. */
    retentionMs: values.RETENTION_DAYS === 0 ? null : values.RETENTION_DAYS * DAY_MS,
    events: {
      errorCodes: values.EVENTS_ERROR_CODES,
      webhookId: values.EVENTS_WEBHOOK_ID,
      unknownUnsubscribe: values.EVENTS_UNKNOWN_UNSUBSCRIBE,
      sendsTerminated: values.EVENTS_SEND_TERMINATED === "true",
      lifetime: { ...values.EVENTS_TTL_MS, allowsNone: values.EVENTS_ALLOW_NO_EXPIRY === "true" },
      subscriptionsMax: values.EVENTS_SUBSCRIPTIONS_MAX,
      retryPolicy:
        values.EVENTS_RETRY_SCHEDULE_MS === undefined
          ? EVENTS_RETRY_POLICY
          : { waitsMs: values.EVENTS_RETRY_SCHEDULE_MS, jitter: 0 },
    },
    /** The first encrypts, all decrypt; none: secrets are kept in clear. */
    secretsKeys: values.SECRETS_KEY,
    /** All sign. */
    signingKeys: values.SIGNING_KEY,
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

/** The first question that Node is asked costs milliseconds, for it then makes a large expression: names are not asked about. */
function isIPv6(text: string): boolean {
  return /^[\da-f]*:.*:/i.test(text) && isIP(text) === 6;
}

/** The host name of a host, host:port, origin or URL; an IPv6 address in brackets. */
function hostNameOf(text: string): string {
  const url = text.includes("://") ? text : `http://${isIPv6(text) ? `[${text}]` : text}`;
  return URL.canParse(url) ? new URL(url).hostname : text;
}

function isBaseUrl(text: string): boolean {
  return /^https?:\/\/[^?#]+$/i.test(text) && URL.canParse(text);
}
