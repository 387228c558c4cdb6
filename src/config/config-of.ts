/** From the values of the settings to the configuration. */
import { DISABLE_FAILURES_MIN } from "../domain/callback-health.ts";
import { DEFAULT_RETRY_POLICY, EVENTS_RETRY_POLICY } from "../domain/retry.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { Upstream } from "../domain/upstream.ts";
import type {
  Config,
  DeliveryConfig,
  EventsConfig,
  ListeningConfig,
  PrivateTargets,
  StorageAndLogConfig,
  TaskConfig,
} from "./config.ts";
import { hostNameOf, isLoopbackHost } from "./hosts.ts";
import { SETTINGS, TEST_SETTINGS } from "./settings.ts";

const DAY_MS = 86_400_000;

export const allSettings = { ...SETTINGS, ...TEST_SETTINGS };

type SettingName = keyof typeof allSettings;

/** The values of these settings. Each function below names the settings that it reads. */
export type Values<Name extends SettingName = SettingName> = {
  readonly [Each in Name]: (typeof allSettings)[Each]["defaultValue"];
};

type ReadBy<Read extends (values: never, ...further: never) => unknown> = keyof Parameters<Read>[0];

/** Never: each setting is read. `loadUpstreams` reads UPSTREAMS. */
type Unread = Exclude<
  SettingName,
  | ReadBy<typeof listeningOf>
  | ReadBy<typeof tasksOf>
  | ReadBy<typeof deliveriesOf>
  | ReadBy<typeof eventsOf>
  | ReadBy<typeof storageAndLogOf>
  | "UPSTREAMS"
>;

/** The type of `values` refuses a setting that none of these functions reads: the compiler names it where this function is called. */
export function configOf(
  values: Values & { readonly [Name in Unread]: never },
  upstreams: readonly Upstream[],
  isTerminal: boolean,
): Config {
  const targets = defaultTargets(values);
  return {
    ...listeningOf(values),
    ...tasksOf(values, targets.allow, upstreams),
    ...deliveriesOf(values, targets.allow),
    ...storageAndLogOf(values, isTerminal),
    events: eventsOf(values),
    targetNotes: targetNotesOf(values, targets),
  };
}

interface DefaultTargets {
  readonly allow: PrivateTargets;
  readonly reason: string;
}

/** Services of this machine are reachable only where no client comes from another machine. */
function defaultTargets(values: Values<"HOST" | "AUTH_TOKENS" | "PUBLIC_URL">): DefaultTargets {
  if (!isLoopbackHost(values.HOST)) return { allow: "none", reason: "HOST is not loopback" };
  if (values.AUTH_TOKENS.length > 0) return { allow: "none", reason: "there are AUTH_TOKENS" };
  if (hasPublicUrl(values)) return { allow: "none", reason: "PUBLIC_URL is not loopback" };
  return { allow: "loopback", reason: "HOST is loopback, without AUTH_TOKENS and without a public PUBLIC_URL" };
}

function listeningOf(
  values: Values<
    | "HOST"
    | "PUBLIC_URL"
    | "PORT"
    | "AUTH_TOKENS"
    | "ALLOW_ANONYMOUS"
    | "ALLOWED_HOSTS"
    | "ALLOWED_ORIGINS"
    | "SERVER_NAME"
  >,
): ListeningConfig {
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

function tasksOf(
  values: Values<
    | "WORKER_TOKENS"
    | "WORKER_LEASE_MS"
    | "COMPLETION_URL_TTL_MS"
    | "TASKS_MODULE"
    | "TASKS_RUNNING_MAX"
    | "TASKS_STOP_GRACE_MS"
    | "TASKS_STALL_MS"
    | "PROGRESS_EVENT_INTERVAL_MS"
    | "DEMO_TASK_MS"
    | "TOOLS"
    | "RUN_TASK_WAIT_MS"
    | "ENABLE_HTTP_TASKS"
    | "HTTP_TASKS_ALLOW_PRIVATE"
  >,
  defaultAllow: PrivateTargets,
  upstreams: readonly Upstream[],
): TaskConfig {
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
    httpTaskTargets: values.HTTP_TASKS_ALLOW_PRIVATE ?? defaultAllow,
  };
}

function deliveriesOf(
  values: Values<
    | "CALLBACK_ALLOW_PRIVATE"
    | "CALLBACK_CA_FILE"
    | "DNS_SERVERS"
    | "RETRY_SCHEDULE_MS"
    | "ATTEMPT_TIMEOUT_MS"
    | "DISABLE_AFTER_DAYS"
  >,
  defaultAllow: PrivateTargets,
): DeliveryConfig {
  return {
    privateTargets: values.CALLBACK_ALLOW_PRIVATE ?? defaultAllow,
    nameServers: values.DNS_SERVERS,
    callbackCa: values.CALLBACK_CA_FILE,
    retryPolicy: retryPolicyOf(values.RETRY_SCHEDULE_MS, DEFAULT_RETRY_POLICY),
    attemptTimeoutMs: values.ATTEMPT_TIMEOUT_MS,
    disablePolicy:
      values.DISABLE_AFTER_DAYS === 0
        ? null
        : { forMs: values.DISABLE_AFTER_DAYS * DAY_MS, failuresMin: DISABLE_FAILURES_MIN },
  };
}

function eventsOf(
  values: Values<
    | "EVENTS_ERROR_CODES"
    | "EVENTS_WEBHOOK_ID"
    | "EVENTS_UNKNOWN_UNSUBSCRIBE"
    | "EVENTS_SEND_TERMINATED"
    | "EVENTS_TTL_MS"
    | "EVENTS_ALLOW_NO_EXPIRY"
    | "EVENTS_SUBSCRIPTIONS_MAX"
    | "EVENTS_RETRY_SCHEDULE_MS"
  >,
): EventsConfig {
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

function storageAndLogOf(
  values: Values<
    "DATABASE_URL" | "RETENTION_DAYS" | "LOG_FORMAT" | "LOG_LEVEL" | "SECRETS_KEY" | "SIGNING_KEY" | "TEST_FIXTURES"
  >,
  isTerminal: boolean,
): StorageAndLogConfig {
  return {
    databaseUrl: values.DATABASE_URL,
    retentionMs: values.RETENTION_DAYS === 0 ? null : values.RETENTION_DAYS * DAY_MS,
    logFormat: values.LOG_FORMAT ?? (isTerminal ? "pretty" : "json"),
    logLevel: values.LOG_LEVEL,
    isTerminal,
    secretsKeys: values.SECRETS_KEY,
    signingKeys: values.SIGNING_KEY,
    testFixtures: values.TEST_FIXTURES === "true",
  };
}

function targetNotesOf(
  values: Values<"CALLBACK_ALLOW_PRIVATE" | "ENABLE_HTTP_TASKS" | "HTTP_TASKS_ALLOW_PRIVATE">,
  { allow, reason }: DefaultTargets,
): string[] {
  const hasHttpTasks = values.ENABLE_HTTP_TASKS === "true";
  return [
    values.CALLBACK_ALLOW_PRIVATE === null ? "CALLBACK_ALLOW_PRIVATE" : [],
    hasHttpTasks && values.HTTP_TASKS_ALLOW_PRIVATE === null ? "HTTP_TASKS_ALLOW_PRIVATE" : [],
  ]
    .flat()
    .map((name) => `${name} is ${allow} by default: ${reason}`);
}

/** A schedule from the settings is exact: it has no jitter. */
function retryPolicyOf(waitsMs: readonly number[] | null, defaultPolicy: RetryPolicy): RetryPolicy {
  return waitsMs === null ? defaultPolicy : { waitsMs, jitter: 0 };
}

function hasPublicUrl({ PUBLIC_URL }: Values<"PUBLIC_URL">): boolean {
  return PUBLIC_URL !== null && !isLoopbackHost(hostNameOf(PUBLIC_URL));
}
