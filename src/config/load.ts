/** The settings, each a text that a function reads. No zod: loading it would be a sixth of the time until /health answers. */
import { isIP } from "node:net";
import { DISABLE_FAILURES_MIN } from "../domain/callback-health.ts";
import { DEFAULT_RETRY_POLICY, EVENTS_RETRY_POLICY } from "../domain/retry.ts";
import type { Upstream } from "../domain/upstream.ts";
import {
  days,
  list,
  nonBlank,
  oneOf,
  optional,
  parseBaseUrl,
  parseDatabaseUrl,
  parseKeys,
  parseSigningKeys,
  parseLifetime,
  parseSchedule,
  parseTokens,
  setting,
  SettingProblem,
  whole,
} from "./parsers.ts";
import type { Setting } from "./parsers.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Every setting: its environment variable, meaning and default. README's table is compared with this list by a test. */
const settings = {
  HOST: setting(nonBlank, "127.0.0.1"),
  PORT: setting(whole(0, 65_535), 8011),
  PUBLIC_URL: optional(parseBaseUrl),
  ALLOWED_HOSTS: setting(list, []),
  ALLOWED_ORIGINS: setting(list, []),
  AUTH_TOKENS: setting(parseTokens, []),
  WORKER_TOKENS: setting(parseTokens, []),
  WORKER_LEASE_MS: setting(whole(1000, 86_400_000), 60_000),
  COMPLETION_URL_TTL_MS: setting(whole(1000, 30 * 86_400_000), 7 * 86_400_000),
  ALLOW_ANONYMOUS: setting(oneOf("true", "false"), "false"),
  DATABASE_URL: setting(parseDatabaseUrl, "file:./data/callbacks.db"),
  SERVER_NAME: setting(nonBlank, "FastMCP TrovabandoServer - Webhook Callbacks"),
  TASKS_MODULE: setting(list, []),
  TASKS_RUNNING_MAX: setting(whole(1, 100_000), 1000),
  TASKS_STOP_GRACE_MS: setting(whole(0, 8000), 5000),
  TASKS_STALL_MS: setting(whole(0, 86_400_000), 60_000),
  PROGRESS_EVENT_INTERVAL_MS: setting(whole(100, 3_600_000), 5000),
  DEMO_TASK_MS: setting(whole(0, 86_400_000), 10_000),
  TOOLS: setting(oneOf("all", "core"), "all"),
  RUN_TASK_WAIT_MS: setting(whole(0, 3_600_000), 50_000),
  UPSTREAMS: optional((file) => file),
  ENABLE_HTTP_TASKS: setting(oneOf("true", "false"), "false"),
  LOG_FORMAT: optional(oneOf("pretty", "json")),
  LOG_LEVEL: setting(oneOf("debug", "info", "warn", "error", "silent"), "info"),
  CALLBACK_ALLOW_PRIVATE: optional(oneOf("none", "loopback", "private")),
  CALLBACK_CA_FILE: optional(async (file) => (await import("./certificates.ts")).readCertificates(file)),
  RETRY_SCHEDULE_MS: optional(parseSchedule),
  ATTEMPT_TIMEOUT_MS: setting(whole(1, 600_000), 15_000),
  DISABLE_AFTER_DAYS: setting(days(36_500, "never"), 5),
  RETENTION_DAYS: setting(days(36_500, "for ever"), 30),
  SECRETS_KEY: setting(parseKeys, []),
  SIGNING_KEY: setting(parseSigningKeys, []),
  EVENTS_ERROR_CODES: setting(oneOf("sketch", "sep"), "sketch"),
  EVENTS_WEBHOOK_ID: setting(oneOf("event", "message"), "event"),
  EVENTS_UNKNOWN_UNSUBSCRIBE: setting(oneOf("ok", "not_found"), "ok"),
  EVENTS_SEND_TERMINATED: setting(oneOf("true", "false"), "true"),
  EVENTS_TTL_MS: setting(parseLifetime, { defaultMs: HOUR_MS, minMs: 60_000, maxMs: DAY_MS }),
  EVENTS_ALLOW_NO_EXPIRY: setting(oneOf("true", "false"), "false"),
  EVENTS_SUBSCRIPTIONS_MAX: setting(whole(0, 100_000), 1000),
  EVENTS_RETRY_SCHEDULE_MS: optional(parseSchedule),
};

/** Not for those who run the server, and in no table: what its own tests need. */
const testSettings = { TEST_FIXTURES: setting(oneOf("true", "false"), "false") };

export const SETTING_NAMES: readonly string[] = Object.keys(settings);

const allSettings = { ...settings, ...testSettings };

type Values = { readonly [Name in keyof typeof allSettings]: (typeof allSettings)[Name]["otherwise"] };

export type Config = Readonly<ReturnType<typeof configOf>>;

/** The settings do not hold: `message` lists every problem, one line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the environment into one frozen Config. An empty variable counts as not set, except a retry schedule (one attempt). */
export async function readConfig(env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<Config> {
  const { values, problems } = await readSettings(env);
  const { upstreams, problems: problemsOfUpstreams } = await upstreamsIn(env);
  problems.push(...problemsOfExposure(env), ...problemsOfUpstreams);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return Object.freeze(configOf(values, upstreams, isTerminal));
}

/** `values` lacks those that have a problem. */
async function readSettings(env: NodeJS.ProcessEnv): Promise<{ readonly values: Values; readonly problems: string[] }> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { parse, otherwise }] of Object.entries<Setting<unknown>>(allSettings)) {
    const given = env[name];
    const equals = given !== undefined && (given !== "" || name.endsWith("RETRY_SCHEDULE_MS"));
    try {
      values[name] = equals ? await parse(given) : otherwise;
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.push(`${name} ${error.message}`);
    }
  }
  return { values: values as Values, problems };
}

/** What reads their file is loaded only where there is one. */
async function upstreamsIn(env: NodeJS.ProcessEnv): Promise<{
  readonly upstreams: readonly Upstream[];
  readonly problems: readonly string[];
}> {
  const { UPSTREAMS: file } = env;
  if (file === undefined || file === "") return { upstreams: [], problems: [] };
  const { readUpstreams } = await import("./upstreams.ts");
  return readUpstreams(file, env);
}

function configOf(values: Values, upstreams: readonly Upstream[], isTerminal: boolean) {
  const isLoopback = isLoopbackHost(values.HOST);
  const ownHosts = ["localhost", "127.0.0.1", "[::1]", values.HOST, values.PUBLIC_URL ?? []].flat().map(hostNameOf);
  return {
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    /** Others are told to come, as through a proxy, and nobody has said that they need no token. */
    isOpenUnawares:
      values.PUBLIC_URL !== null &&
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
    toolSet: values.TOOLS,
    runTaskWaitMs: values.RUN_TASK_WAIT_MS,
    upstreams,
    httpTasks: values.ENABLE_HTTP_TASKS === "true",
    logFormat: values.LOG_FORMAT ?? (isTerminal ? ("pretty" as const) : ("json" as const)),
    logLevel: values.LOG_LEVEL,
    privateTargets: values.CALLBACK_ALLOW_PRIVATE ?? (isLoopback ? ("loopback" as const) : ("none" as const)),
    /** PEM certificates, or null. */
    callbackCa: values.CALLBACK_CA_FILE,
    retryPolicy:
      values.RETRY_SCHEDULE_MS === null ? DEFAULT_RETRY_POLICY : { waitsMs: values.RETRY_SCHEDULE_MS, jitter: 0 },
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
        values.EVENTS_RETRY_SCHEDULE_MS === null
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
