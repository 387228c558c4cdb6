import type { Json } from "../../domain/json.ts";

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export interface TaskLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a handler gets besides its input. */
export interface TaskContext {
  /** The client's task id. */
  readonly taskId: string;
  /** The name that the client's token belongs to; `local` or `anonymous` without tokens. */
  readonly principal: string;
  /** The number of this run of the task, from 1. The task runs again after a crash, and after a failure if its type allows it. */
  readonly attempt: number;
  /**
   * Aborts when the task is cancelled or its time is over, and when the server stops: the task runs again after the restart, so its work may
   * be done twice.
   */
  readonly signal: AbortSignal;
  /** Reports progress. May be called at any rate: it is throttled. `total`: null when unknown. */
  progress(done: number, total?: number | null, message?: string): void;
  readonly log: TaskLog;
}

/** A kind of work: built in, of a module of the operator, a tool of an upstream server, or done by external workers. */
export interface TaskType {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** The usual duration in milliseconds; null: unknown. */
  readonly expectedMs: number | null;
  readonly inputSchema: JsonSchema;
  /** Null: any JSON. */
  readonly outputSchema: JsonSchema | null;
  /** A run that takes longer is aborted and fails; null: no limit. */
  readonly timeoutMs: number | null;
  /** Further runs after a run that threw, with waits that grow. None follows a PermanentError. */
  readonly retries: number;
  /** Runs of this type at once; null: only the limit of all types. */
  readonly concurrency: number | null;
  /** handler: `run`, in this process. worker: an external worker claims the task over HTTP, and `run` is never called. */
  readonly executor: "handler" | "worker";
  /** The input as it is stored and passed to `run`; null: the caller gave none. Throws a DomainError `invalid` that names the path and the reason. */
  parseInput(input: Json): Json;
  /** The result, of the value that `run` returned or a worker sent. Throws an Error that says what is wrong with the value. */
  parseOutput(output: unknown): unknown;
  /** Returns the result (any JSON, at most 240 KiB) or throws: this run has failed then. Clients see the message of the last failure. */
  run(input: Json, context: TaskContext): Promise<unknown>;
}

/** Thrown by a handler when a retry would not help. */
export class PermanentError extends Error {
  override readonly name = "PermanentError";
}

/** The task types on offer. Asynchronous, because an upstream server must be asked for its tools. */
export interface TaskCatalog {
  find(name: string): Promise<TaskType | undefined>;
  /** All types, in a stable order. A type whose upstream server cannot be reached is listed without its schemas. */
  list(): Promise<readonly TaskType[]>;
}
