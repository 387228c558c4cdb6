/** Every setting in one table: its environment variable, group, meaning, parser and default. Without zod, which would slow down the start. */
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
  parseNameServers,
  parseSigningKeys,
  parseLifetime,
  parseSchedule,
  parseTokens,
  setting,
  wholeNumber,
} from "./parsers.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const PRIVATE_TARGETS_DEFAULT =
  "loopback when HOST is loopback, there are no AUTH_TOKENS and PUBLIC_URL is unset or loopback, else none";

/** `--help` prints it; docs/configuration.md is generated from it. */
export const SETTINGS = {
  HOST: setting(
    "Listening",
    "Address to listen on. An address other than loopback needs AUTH_TOKENS or ALLOW_ANONYMOUS=true.",
    nonBlank,
    "127.0.0.1",
  ),
  PORT: setting("Listening", "Port to listen on; 0 picks a free one and prints it.", wholeNumber(0, 65_535), 8011),
  PUBLIC_URL: optional("Listening", "URL at which clients reach the server.", parseBaseUrl, {
    shown: "http://localhost:<port>",
  }),
  ALLOWED_HOSTS: setting(
    "Listening",
    "Further host names that the Host header may have, separated by commas.",
    hostNames,
    [],
  ),
  ALLOWED_ORIGINS: setting(
    "Listening",
    "Host names or origins of web pages that may use the server, separated by commas.",
    hostNames,
    [],
  ),
  // Fixed text: users' tools look for it in /health.
  SERVER_NAME: setting(
    "Listening",
    "The server's name in /health.",
    nonBlank,
    "FastMCP TrovabandoServer - Webhook Callbacks",
  ),
  AUTH_TOKENS: setting("Access", "Bearer tokens of clients: name:token,name:token.", parseTokens, []),
  ALLOW_ANONYMOUS: setting(
    "Access",
    "true: accept clients without a token on an address other than loopback.",
    oneOf("true", "false"),
    "false",
  ),
  WORKER_TOKENS: setting("Access", "Bearer tokens of workers: name:token,name:token.", parseTokens, []),
  SECRETS_KEY: setting(
    "Access",
    "Keys of 32 random bytes in base64 that encrypt the signing secrets in the database.",
    parseKeys,
    [],
  ),
  SIGNING_KEY: setting(
    "Access",
    "Ed25519 keys (whsk_…) that sign each POST in addition to its secret.",
    parseSigningKeys,
    [],
  ),
  DATABASE_URL: setting(
    "Storage",
    "SQLite file, relative to the working directory.",
    parseDatabaseUrl,
    "file:./data/callbacks.db",
  ),
  RETENTION_DAYS: setting(
    "Storage",
    "How many days ended tasks and their history are kept; 0: for ever.",
    days(36_500, "for ever"),
    30,
  ),
  TASKS_MODULE: setting("Tasks", "Files that export your own task types, separated by commas.", list, []),
  TASKS_RUNNING_MAX: setting("Tasks", "How many tasks run at the same time.", wholeNumber(1, 100_000), 1000),
  TASKS_STOP_GRACE_MS: setting(
    "Tasks",
    "How long handlers may continue when the server stops.",
    wholeNumber(0, 8000),
    5000,
  ),
  TASKS_STALL_MS: setting(
    "Tasks",
    "How long a handler may block the event loop before the process ends; 0: no limit.",
    wholeNumber(0, 86_400_000),
    60_000,
  ),
  PROGRESS_EVENT_INTERVAL_MS: setting(
    "Tasks",
    "Shortest time between two task_progress events of a task.",
    wholeNumber(100, 3_600_000),
    5000,
  ),
  DEMO_TASK_MS: setting("Tasks", "Duration of the demo task.", wholeNumber(0, 86_400_000), 10_000),
  RUN_TASK_WAIT_MS: setting("Tasks", "Longest wait of run_task and wait_for_task.", wholeNumber(0, 3_600_000), 50_000),
  TOOLS: setting("Tasks", "Tools to offer: all or core.", oneOf("all", "core"), "all"),
  UPSTREAMS: optional("Tasks", "JSON file of MCP servers whose tools are task types.", (file) => file),
  ENABLE_HTTP_TASKS: setting("Tasks", "true: offer the task type http_request.", oneOf("true", "false"), "false"),
  HTTP_TASKS_ALLOW_PRIVATE: optional(
    "Tasks",
    "Non-public addresses that http_request may use: none, loopback or private.",
    oneOf("none", "loopback", "private"),
    { shown: PRIVATE_TARGETS_DEFAULT },
  ),
  WORKER_LEASE_MS: setting(
    "Tasks",
    "Length of a worker's lease. Without a renewal the task goes to another worker.",
    wholeNumber(1000, 86_400_000),
    60_000,
  ),
  COMPLETION_URL_TTL_MS: setting(
    "Tasks",
    "Lifetime of a completion URL.",
    wholeNumber(1000, 30 * 86_400_000),
    7 * 86_400_000,
  ),
  CALLBACK_ALLOW_PRIVATE: optional(
    "Deliveries",
    "Non-public addresses that callbacks may use: none, loopback or private.",
    oneOf("none", "loopback", "private"),
    { shown: PRIVATE_TARGETS_DEFAULT },
  ),
  DNS_SERVERS: optional(
    "Deliveries",
    "Name servers for the host names of callbacks and of http_request: addresses, with or without a port, separated by commas.",
    parseNameServers,
    { shown: "those of the system" },
  ),
  CALLBACK_CA_FILE: optional(
    "Deliveries",
    "PEM file of certificates to trust in addition to the usual ones.",
    async (file) => (await import("./certificates.ts")).readCertificates(file),
  ),
  RETRY_SCHEDULE_MS: optional(
    "Deliveries",
    "Waits between attempts, separated by commas; empty: one attempt.",
    parseSchedule,
    { shown: "10 attempts in about 75 hours" },
  ),
  ATTEMPT_TIMEOUT_MS: setting("Deliveries", "Deadline of one attempt.", wholeNumber(1, 600_000), 15_000),
  DISABLE_AFTER_DAYS: setting(
    "Deliveries",
    "A callback is disabled after this many days of failures; 0: never.",
    days(36_500, "never"),
    5,
  ),
  EVENTS_ERROR_CODES: setting("MCP Events", "Error codes: sketch or sep.", oneOf("sketch", "sep"), "sketch"),
  EVENTS_WEBHOOK_ID: setting(
    "MCP Events",
    "webhook-id of deliveries to subscriptions: event or message.",
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
    "true: send a terminated message when the server ends a subscription.",
    oneOf("true", "false"),
    "true",
  ),
  EVENTS_TTL_MS: setting(
    "MCP Events",
    "Lifetime of a subscription: default,minimum,maximum.",
    parseLifetime,
    { defaultMs: HOUR_MS, minMs: 60_000, maxMs: DAY_MS },
    { shown: "3600000,60000,86400000" },
  ),
  EVENTS_ALLOW_NO_EXPIRY: setting(
    "MCP Events",
    "true: a subscription may have no end.",
    oneOf("true", "false"),
    "false",
  ),
  EVENTS_SUBSCRIPTIONS_MAX: setting(
    "MCP Events",
    "How many subscriptions a principal may have.",
    wholeNumber(0, 100_000),
    1000,
  ),
  EVENTS_RETRY_SCHEDULE_MS: optional("MCP Events", "RETRY_SCHEDULE_MS for subscriptions.", parseSchedule, {
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

/** For the server's own tests. `--help` does not print them. */
export const TEST_SETTINGS = { TEST_FIXTURES: setting("Tests", "", oneOf("true", "false"), "false") };
