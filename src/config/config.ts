import type { DisablePolicy } from "../domain/callback-health.ts";
import type { RetryPolicy } from "../domain/retry.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { LifetimePolicy } from "../domain/subscription.ts";
import type { Upstream } from "../domain/upstream.ts";

/** All settings, read and checked. */
export interface Config extends ListeningConfig, TaskConfig, DeliveryConfig, StorageAndLogConfig {
  readonly events: EventsConfig;
  /** For the log: one sentence for each setting about private targets whose default is used, with its reason. */
  readonly targetNotes: readonly string[];
}

export interface ListeningConfig {
  readonly host: string;
  readonly port: number;
  /** Without a slash at the end. Null: http://localhost and the port. */
  readonly publicUrl: string | null;
  /** PUBLIC_URL is not on loopback, there are no tokens, and ALLOW_ANONYMOUS is not set: the operator may have forgotten the tokens. */
  readonly isExposedWithoutTokens: boolean;
  /** Host names without port that the Host header may have on /mcp. */
  readonly allowedHosts: readonly string[];
  /** The same for the Origin header. */
  readonly allowedOrigins: readonly string[];
  readonly serverName: string;
  readonly accessTokens: readonly NamedToken[];
  readonly principalWithoutTokens: "local" | "anonymous";
}

/** The name of a client or a worker, and its bearer token. */
export interface NamedToken {
  readonly name: string;
  readonly token: string;
}

export interface TaskConfig {
  /** None: the server has no API for workers. */
  readonly workerTokens: readonly NamedToken[];
  readonly workerLeaseMs: number;
  readonly completionUrlTtlMs: number;
  /** Files that export task types. */
  readonly taskModules: readonly string[];
  readonly tasksRunningMax: number;
  readonly tasksStopGraceMs: number;
  /** How long a handler may block the event loop. Null: no limit. */
  readonly tasksStallMs: number | null;
  readonly progressEventIntervalMs: number;
  readonly demoTaskMs: number;
  readonly toolSet: "all" | "core";
  readonly runTaskWaitMs: number;
  readonly upstreams: readonly Upstream[];
  readonly httpTasks: boolean;
  /** Non-public addresses that the task type http_request may reach. */
  readonly httpTaskTargets: PrivateTargets;
}

export type PrivateTargets = "none" | "loopback" | "private";

export interface DeliveryConfig {
  /** Non-public addresses that deliveries may reach. */
  readonly privateTargets: PrivateTargets;
  /** PEM certificates to trust in addition to the usual ones, or null. */
  readonly callbackCa: string | null;
  /** `address` or `address:port`; null: the name servers of the system. */
  readonly nameServers: readonly string[] | null;
  readonly retryPolicy: RetryPolicy;
  readonly attemptTimeoutMs: number;
  /** Null: a callback is never disabled for failing. */
  readonly disablePolicy: DisablePolicy | null;
}

/** Settings of MCP Events. */
export interface EventsConfig {
  readonly errorCodes: "sketch" | "sep";
  readonly webhookId: "event" | "message";
  readonly unknownUnsubscribe: "ok" | "not_found";
  readonly sendsTerminated: boolean;
  readonly lifetime: LifetimePolicy;
  /** Of one principal. */
  readonly subscriptionsMax: number;
  readonly retryPolicy: RetryPolicy;
}

export interface StorageAndLogConfig {
  readonly databaseUrl: string;
  /** Null: history is kept for ever. */
  readonly retentionMs: number | null;
  readonly logFormat: "pretty" | "json";
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  /** The first encrypts, all decrypt. None: secrets are not encrypted. */
  readonly secretsKeys: readonly Uint8Array[];
  /** All sign. */
  readonly signingKeys: readonly SigningKey[];
  /** Offers the tools of the official conformance suite. */
  readonly testFixtures: boolean;
}
