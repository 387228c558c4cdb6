/** Environment variables into one frozen Config. */
import { isIP } from "node:net";
import { DISABLE_FAILURES_MIN } from "../domain/callback-health.ts";
import { DEFAULT_RETRY_POLICY, EVENTS_RETRY_POLICY } from "../domain/retry.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { Upstream } from "../domain/upstream.ts";
import { SettingProblem } from "./parsers.ts";
import type { Setting } from "./parsers.ts";
import { SETTINGS, TEST_SETTINGS } from "./settings.ts";

const DAY_MS = 86_400_000;

const allSettings = { ...SETTINGS, ...TEST_SETTINGS };

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
    const isGiven = given !== undefined && (given !== "" || name.endsWith("RETRY_SCHEDULE_MS"));
    try {
      values[name] = isGiven ? await parse(given) : otherwise;
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
  return {
    ...listeningOf(values),
    ...tasksOf(values, upstreams),
    ...deliveriesOf(values),
    events: eventsOf(values),
    databaseUrl: values.DATABASE_URL,
    /** Null: history is kept for ever. */
    retentionMs: values.RETENTION_DAYS === 0 ? null : values.RETENTION_DAYS * DAY_MS,
    logFormat: values.LOG_FORMAT ?? (isTerminal ? ("pretty" as const) : ("json" as const)),
    logLevel: values.LOG_LEVEL,
    /** A person reads the log as it comes. */
    isTerminal,
    /** The first encrypts, all decrypt; none: secrets are kept in clear. */
    secretsKeys: values.SECRETS_KEY,
    /** All sign. */
    signingKeys: values.SIGNING_KEY,
    testFixtures: values.TEST_FIXTURES === "true",
  };
}

function listeningOf(values: Values) {
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
    serverName: values.SERVER_NAME,
    accessTokens: values.AUTH_TOKENS,
    principalWithoutTokens: isLoopbackHost(values.HOST) ? ("local" as const) : ("anonymous" as const),
  };
}

function tasksOf(values: Values, upstreams: readonly Upstream[]) {
  return {
    /** None: there is no API for workers. */
    workerTokens: values.WORKER_TOKENS,
    workerLeaseMs: values.WORKER_LEASE_MS,
    completionUrlTtlMs: values.COMPLETION_URL_TTL_MS,
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
  };
}

function deliveriesOf(values: Values) {
  const isLoopback = isLoopbackHost(values.HOST);
  return {
    privateTargets: values.CALLBACK_ALLOW_PRIVATE ?? (isLoopback ? ("loopback" as const) : ("none" as const)),
    /** PEM certificates, or null. */
    callbackCa: values.CALLBACK_CA_FILE,
    retryPolicy: retryPolicyOf(values.RETRY_SCHEDULE_MS, DEFAULT_RETRY_POLICY),
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT_MS,
    /** Null: however long a callback fails, it is not disabled for that. */
    disablePolicy:
      values.DISABLE_AFTER_DAYS === 0
        ? null
        : { forMs: values.DISABLE_AFTER_DAYS * DAY_MS, failuresMin: DISABLE_FAILURES_MIN },
  };
}

function eventsOf(values: Values) {
  return {
    errorCodes: values.EVENTS_ERROR_CODES,
    webhookId: values.EVENTS_WEBHOOK_ID,
    unknownUnsubscribe: values.EVENTS_UNKNOWN_UNSUBSCRIBE,
    sendsTerminated: values.EVENTS_SEND_TERMINATED === "true",
    lifetime: { ...values.EVENTS_TTL_MS, allowsNone: values.EVENTS_ALLOW_NO_EXPIRY === "true" },
    subscriptionsMax: values.EVENTS_SUBSCRIPTIONS_MAX,
    retryPolicy: retryPolicyOf(values.EVENTS_RETRY_SCHEDULE_MS, EVENTS_RETRY_POLICY),
  };
}

/** A schedule that is given is exact. */
function retryPolicyOf(waitsMs: readonly number[] | null, otherwise: RetryPolicy): RetryPolicy {
  return waitsMs === null ? otherwise : { waitsMs, jitter: 0 };
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
