/** Every setting, in one table: its environment variable, group, meaning, parser and default. No zod: loading it would be a sixth of a start. */
import {
  days,
  hostNames,
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
  whole,
} from "./parsers.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** `--help` prints it; docs/configuration.md is generated from it. */
export const SETTINGS = {
  HOST: setting(
    "Listening",
    "Address to listen on. Anything but loopback needs AUTH_TOKENS or ALLOW_ANONYMOUS=true.",
    nonBlank,
    "127.0.0.1",
  ),
  PORT: setting("Listening", "Port to listen on; 0 picks a free one and prints it.", whole(0, 65_535), 8011),
  PUBLIC_URL: optional("Listening", "URL by which clients reach the server.", parseBaseUrl, {
    shown: "http://localhost:<port>",
  }),
  ALLOWED_HOSTS: setting("Listening", "Host names, separated by commas, that the Host header may have.", hostNames, []),
  ALLOWED_ORIGINS: setting("Listening", "Host names or origins whose web pages may use the server.", hostNames, []),
  SERVER_NAME: setting(
    "Listening",
    "The server's name in /health.",
    nonBlank,
    "FastMCP TrovabandoServer - Webhook Callbacks",
  ),
  AUTH_TOKENS: setting("Access", "Bearer tokens of clients: name:token,name:token.", parseTokens, []),
  ALLOW_ANONYMOUS: setting("Access", "true: listen beyond loopback without tokens.", oneOf("true", "false"), "false"),
  WORKER_TOKENS: setting("Access", "Bearer tokens of workers: name:token,name:token.", parseTokens, []),
  SECRETS_KEY: setting(
    "Access",
    "32 random bytes in base64 that encrypt signing secrets in the database.",
    parseKeys,
    [],
  ),
  SIGNING_KEY: setting("Access", "Ed25519 key (whsk_…) that signs every POST beside its secret.", parseSigningKeys, []),
  DATABASE_URL: setting(
    "Storage",
    "SQLite file, relative to the working directory.",
    parseDatabaseUrl,
    "file:./data/callbacks.db",
  ),
  RETENTION_DAYS: setting(
    "Storage",
    "Days that ended tasks and their history are kept; 0: for ever.",
    days(36_500, "for ever"),
    30,
  ),
  TASKS_MODULE: setting("Tasks", "Files, separated by commas, that export task types of your own.", list, []),
  TASKS_RUNNING_MAX: setting("Tasks", "Tasks that run at once.", whole(1, 100_000), 1000),
  TASKS_STOP_GRACE_MS: setting("Tasks", "Time that handlers get when the server stops.", whole(0, 8000), 5000),
  TASKS_STALL_MS: setting(
    "Tasks",
    "Time a handler may block the event loop before the process ends; 0: no limit.",
    whole(0, 86_400_000),
    60_000,
  ),
  PROGRESS_EVENT_INTERVAL_MS: setting(
    "Tasks",
    "Least time between two task_progress events of a task.",
    whole(100, 3_600_000),
    5000,
  ),
  DEMO_TASK_MS: setting("Tasks", "Duration of the demo task.", whole(0, 86_400_000), 10_000),
  RUN_TASK_WAIT_MS: setting("Tasks", "Longest wait of run_task and wait_for_task.", whole(0, 3_600_000), 50_000),
  TOOLS: setting("Tasks", "Tools to offer: all or core.", oneOf("all", "core"), "all"),
  UPSTREAMS: optional("Tasks", "File of MCP servers whose tools are task types.", (file) => file),
  ENABLE_HTTP_TASKS: setting("Tasks", "true: offer the task type http_request.", oneOf("true", "false"), "false"),
  WORKER_LEASE_MS: setting(
    "Tasks",
    "Time a worker may be silent before its task goes to another.",
    whole(1000, 86_400_000),
    60_000,
  ),
  COMPLETION_URL_TTL_MS: setting(
    "Tasks",
    "Lifetime of a completion URL.",
    whole(1000, 30 * 86_400_000),
    7 * 86_400_000,
  ),
  CALLBACK_ALLOW_PRIVATE: optional(
    "Deliveries",
    "Targets beside public ones: none, loopback or private.",
    oneOf("none", "loopback", "private"),
    { shown: "loopback when HOST is loopback, else none" },
  ),
  CALLBACK_CA_FILE: optional("Deliveries", "PEM file of certificates to trust beside the usual ones.", async (file) =>
    (await import("./certificates.ts")).readCertificates(file),
  ),
  RETRY_SCHEDULE_MS: optional(
    "Deliveries",
    "Waits between attempts, separated by commas; empty: one attempt.",
    parseSchedule,
    { shown: "10 attempts in about 75 hours" },
  ),
  ATTEMPT_TIMEOUT_MS: setting("Deliveries", "Deadline of one attempt.", whole(1, 600_000), 15_000),
  DISABLE_AFTER_DAYS: setting(
    "Deliveries",
    "Days of failures after which a callback is disabled; 0: never.",
    days(36_500, "never"),
    5,
  ),
  EVENTS_ERROR_CODES: setting("MCP Events", "Error numbers: sketch or sep.", oneOf("sketch", "sep"), "sketch"),
  EVENTS_WEBHOOK_ID: setting(
    "MCP Events",
    "webhook-id of subscriptions: event or message.",
    oneOf("event", "message"),
    "event",
  ),
  EVENTS_UNKNOWN_UNSUBSCRIBE: setting(
    "MCP Events",
    "Answer to an unknown unsubscribe: ok or not_found.",
    oneOf("ok", "not_found"),
    "ok",
  ),
  EVENTS_SEND_TERMINATED: setting(
    "MCP Events",
    "Send terminated when the server ends a subscription.",
    oneOf("true", "false"),
    "true",
  ),
  EVENTS_TTL_MS: setting(
    "MCP Events",
    "Lifetime of a subscription: default, minimum, maximum.",
    parseLifetime,
    { defaultMs: HOUR_MS, minMs: 60_000, maxMs: DAY_MS },
    { shown: "3600000,60000,86400000" },
  ),
  EVENTS_ALLOW_NO_EXPIRY: setting(
    "MCP Events",
    "true: subscriptions may have no end.",
    oneOf("true", "false"),
    "false",
  ),
  EVENTS_SUBSCRIPTIONS_MAX: setting("MCP Events", "Subscriptions of one principal.", whole(0, 100_000), 1000),
  EVENTS_RETRY_SCHEDULE_MS: optional("MCP Events", "RETRY_SCHEDULE_MS of subscriptions.", parseSchedule, {
    shown: "5 attempts in about 13 minutes",
  }),
  LOG_FORMAT: optional("Log", "pretty or json.", oneOf("pretty", "json"), { shown: "pretty on a terminal, else json" }),
  LOG_LEVEL: setting(
    "Log",
    "debug, info, warn, error or silent.",
    oneOf("debug", "info", "warn", "error", "silent"),
    "info",
  ),
};

/** In no table: what the server's own tests need. */
export const TEST_SETTINGS = { TEST_FIXTURES: setting("Tests", "", oneOf("true", "false"), "false") };
