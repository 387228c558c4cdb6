/** What a kind of work is, wherever it comes from: built in, a module of the operator, an upstream server, or done by workers outside. */
import type { Json } from "../../domain/json.ts";

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export interface TaskLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a handler is given besides its input. */
export interface TaskContext {
  /** The client's task id. */
  readonly taskId: string;
  /** From 1: which run of this task it is; after a crash or a failed try it is run again. */
  readonly attempt: number;
  /**
   * Aborts when the task is cancelled or out of time, and when the server stops: it is then run again after the restart, so what it did
   * may be done twice.
   */
  readonly signal: AbortSignal;
  /** How far it is, as often as one likes: it is throttled. `total`: null when unknown. */
  progress(done: number, total?: number | null, message?: string): void;
  readonly log: TaskLog;
}

/** A kind of work. */
export interface TaskType {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** How long it usually takes, in milliseconds; null: unknown. */
  readonly expectedMs: number | null;
  readonly inputSchema: JsonSchema;
  /** Null: any JSON. */
  readonly outputSchema: JsonSchema | null;
  /** A run that takes longer is aborted and has failed; null: no limit. */
  readonly timeoutMs: number | null;
  /** Further runs after one that threw (never after a PermanentError); the waits grow. */
  readonly retries: number;
  /** Runs at once of this type; null: only the bound for all. */
  readonly concurrency: number | null;
  /** handler: `run`, in this process. worker: somebody outside claims it over HTTP; `run` is never called. */
  readonly executor: "handler" | "worker";
  /** What is stored and handed to `run`; null when none was given. Throws a DomainError `invalid` that names the path and the reason. */
  parseInput(input: Json): Json;
  /** What becomes of what `run` returned (or a worker sent). Throws an Error that says what is wrong with it. */
  parseOutput(output: unknown): unknown;
  /** Returns the result (any JSON, at most 240 KiB of it) or throws: then this run has failed, and clients see the message of the last. */
  run(input: Json, context: TaskContext): Promise<unknown>;
}

/** Thrown by a handler: trying again would not help. */
export class PermanentError extends Error {
  override readonly name = "PermanentError";
}

/** The task types on offer. Asynchronous: those of an upstream server are known only once it has been asked. */
export interface TaskCatalog {
  find(name: string): Promise<TaskType | undefined>;
  /** All of them, in stable order; one whose source cannot be asked at the moment is listed without its schemas. */
  list(): Promise<readonly TaskType[]>;
}
