import { isIP } from "node:net";
import { DISABLE_FAILURES_MIN } from "../domain/callback-health.ts";
import { DEFAULT_RETRY_POLICY, EVENTS_RETRY_POLICY } from "../domain/retry.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { Upstream } from "../domain/upstream.ts";
import type { Config, DeliveryConfig, EventsConfig, ListeningConfig, PrivateTargets, TaskConfig } from "./config.ts";
import { SettingProblem } from "./parsers.ts";
import type { Setting } from "./parsers.ts";
import { SETTINGS, TEST_SETTINGS } from "./settings.ts";

const DAY_MS = 86_400_000;

const allSettings = { ...SETTINGS, ...TEST_SETTINGS };

type Values = { readonly [Name in keyof typeof allSettings]: (typeof allSettings)[Name]["defaultValue"] };

/** The settings are not valid: `message` lists every problem, one line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the environment. Throws a `ConfigError`. An empty variable counts as not set, except a retry schedule: an empty one means one attempt. */
export async function readConfig(env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<Config> {
  const { values, problems } = await readSettings(env);
  const { upstreams, problems: upstreamProblems } = await loadUpstreams(env);
  problems.push(...exposureProblems(env), ...upstreamProblems);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return Object.freeze(configOf(values, upstreams, isTerminal));
}

/** `values` lacks the settings that have a problem. */
async function readSettings(env: NodeJS.ProcessEnv): Promise<{ readonly values: Values; readonly problems: string[] }> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { parse, defaultValue }] of Object.entries<Setting<unknown>>(allSettings)) {
    const text = env[name];
    const isSet = text !== undefined && (text !== "" || name.endsWith("RETRY_SCHEDULE_MS"));
    try {
      values[name] = isSet ? await parse(text) : defaultValue;
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.push(`${name} ${error.message}`);
    }
  }
  return { values: values as Values, problems };
}

/** The code that reads the file is loaded only where there is a file. */
async function loadUpstreams(env: NodeJS.ProcessEnv): Promise<{
  readonly upstreams: readonly Upstream[];
  readonly problems: readonly string[];
}> {
  const { UPSTREAMS: file } = env;
  if (file === undefined || file === "") return { upstreams: [], problems: [] };
  const { readUpstreams } = await import("./upstreams.ts");
  return readUpstreams(file, env);
}

function configOf(values: Values, upstreams: readonly Upstream[], isTerminal: boolean): Config {
  return {
    ...listeningOf(values),
    ...tasksOf(values, upstreams),
    ...deliveriesOf(values),
    events: eventsOf(values),
    databaseUrl: values.DATABASE_URL,
    retentionMs: values.RETENTION_DAYS === 0 ? null : values.RETENTION_DAYS * DAY_MS,
    logFormat: values.LOG_FORMAT ?? (isTerminal ? "pretty" : "json"),
    logLevel: values.LOG_LEVEL,
    isTerminal,
    secretsKeys: values.SECRETS_KEY,
    signingKeys: values.SIGNING_KEY,
    targetNotes: targetNotesOf(values),
    testFixtures: values.TEST_FIXTURES === "true",
  };
}

function listeningOf(values: Values): ListeningConfig {
  const ownHosts = ["localhost", "127.0.0.1", "[::1]", values.HOST, values.PUBLIC_URL ?? []].flat().map(hostNameOf);
  return {
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, "") ?? null,
    isExposedWithoutTokens:
      hasPublicUrl(values) && values.AUTH_TOKENS.length === 0 && values.ALLOW_ANONYMOUS !== "true",
    allowedHosts: [...ownHosts, ...values.ALLOWED_HOSTS.map(hostNameOf)],
    allowedOrigins: [...ownHosts, ...values.ALLOWED_ORIGINS.map(hostNameOf)],
    serverName: values.SERVER_NAME,
    accessTokens: values.AUTH_TOKENS,
    principalWithoutTokens: isLoopbackHost(values.HOST) ? "local" : "anonymous",
  };
}

function tasksOf(values: Values, upstreams: readonly Upstream[]): TaskConfig {
  return {
    workerTokens: values.WORKER_TOKENS,
    workerLeaseMs: values.WORKER_LEASE_MS,
    completionUrlTtlMs: values.COMPLETION_URL_TTL_MS,
    taskModules: values.TASKS_MODULE,
    tasksRunningMax: values.TASKS_RUNNING_MAX,
    tasksStopGraceMs: values.TASKS_STOP_GRACE_MS,
    tasksStallMs: values.TASKS_STALL_MS === 0 ? null : values.TASKS_STALL_MS,
    progressEventIntervalMs: values.PROGRESS_EVENT_INTERVAL_MS,
    demoTaskMs: values.DEMO_TASK_MS,
    toolSet: values.TOOLS,
    runTaskWaitMs: values.RUN_TASK_WAIT_MS,
    upstreams,
    httpTasks: values.ENABLE_HTTP_TASKS === "true",
    httpTaskTargets: values.HTTP_TASKS_ALLOW_PRIVATE ?? defaultTargets(values).allow,
  };
}

function deliveriesOf(values: Values): DeliveryConfig {
  return {
    privateTargets: values.CALLBACK_ALLOW_PRIVATE ?? defaultTargets(values).allow,
    callbackCa: values.CALLBACK_CA_FILE,
    retryPolicy: retryPolicyOf(values.RETRY_SCHEDULE_MS, DEFAULT_RETRY_POLICY),
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT_MS,
    disablePolicy:
      values.DISABLE_AFTER_DAYS === 0
        ? null
        : { forMs: values.DISABLE_AFTER_DAYS * DAY_MS, failuresMin: DISABLE_FAILURES_MIN },
  };
}

/** Services of this machine are reachable only where no client comes from another machine. */
function defaultTargets(values: Values): { readonly allow: PrivateTargets; readonly reason: string } {
  if (!isLoopbackHost(values.HOST)) return { allow: "none", reason: "HOST is not loopback" };
  if (values.AUTH_TOKENS.length > 0) return { allow: "none", reason: "there are AUTH_TOKENS" };
  if (hasPublicUrl(values)) return { allow: "none", reason: "PUBLIC_URL is not loopback" };
  return { allow: "loopback", reason: "HOST is loopback, without AUTH_TOKENS and without a public PUBLIC_URL" };
}

function targetNotesOf(values: Values): string[] {
  const { allow, reason } = defaultTargets(values);
  const hasHttpTasks = values.ENABLE_HTTP_TASKS === "true";
  return [
    values.CALLBACK_ALLOW_PRIVATE === null ? "CALLBACK_ALLOW_PRIVATE" : [],
    hasHttpTasks && values.HTTP_TASKS_ALLOW_PRIVATE === null ? "HTTP_TASKS_ALLOW_PRIVATE" : [],
  ]
    .flat()
    .map((name) => `${name} is ${allow} by default: ${reason}`);
}

function eventsOf(values: Values): EventsConfig {
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

/** A schedule from the settings is exact: it has no jitter. */
function retryPolicyOf(waitsMs: readonly number[] | null, defaultPolicy: RetryPolicy): RetryPolicy {
  return waitsMs === null ? defaultPolicy : { waitsMs, jitter: 0 };
}

/** Without tokens the operator must confirm that the server listens on the network. Test fixtures are never allowed there. */
function exposureProblems(env: NodeJS.ProcessEnv): string[] {
  const host = env["HOST"]?.trim() || "127.0.0.1";
  if (isLoopbackHost(host)) return [];
  const isOpen = (env["AUTH_TOKENS"] ?? "") === "" && env["ALLOW_ANONYMOUS"] !== "true";
  return [
    isOpen
      ? `HOST=${host} accepts connections from other machines: set AUTH_TOKENS=name:token,…, or ALLOW_ANONYMOUS=true to accept clients without a token`
      : [],
    env["TEST_FIXTURES"] === "true"
      ? `TEST_FIXTURES=true offers tools that are made for tests: remove it, since HOST=${host} accepts connections from other machines`
      : [],
  ].flat();
}

function hasPublicUrl({ PUBLIC_URL }: Values): boolean {
  return PUBLIC_URL !== null && !isLoopbackHost(hostNameOf(PUBLIC_URL));
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}

/** The first call of isIP costs milliseconds, since Node then compiles a large expression. A host name does not need it. */
function isIPv6(text: string): boolean {
  return /^[\da-f]*:.*:/i.test(text) && isIP(text) === 6;
}

/** The host name of a host, host:port, origin or URL; an IPv6 address in brackets. */
function hostNameOf(text: string): string {
  const url = text.includes("://") ? text : `http://${isIPv6(text) ? `[${text}]` : text}`;
  return URL.canParse(url) ? new URL(url).hostname : text;
}
