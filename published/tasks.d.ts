import type { z } from "zod";

export interface TaskLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a handler gets beside its input. */
export interface TaskContext {
  /** The client's task id. */
  readonly taskId: string;
  /** The name that the client's token belongs to; `local` or `anonymous` without tokens. */
  readonly principal: string;
  /** Which run of this task it is, from 1. A task runs again after a crash and after a failed run. */
  readonly attempt: number;
  /** Aborts when the task is cancelled, when its time is over, and when the server stops; then it runs again after the next start. */
  readonly signal: AbortSignal;
  /** Reports progress. May be called often: it is throttled. `total`: null when unknown. */
  progress(done: number, total?: number | null, message?: string): void;
  readonly log: TaskLog;
}

/** A kind of work. `run` gets the output of the schema `input`, and returns the input of the schema `output`. */
export interface TaskDefinition<Input extends z.ZodType, Output extends z.ZodType> {
  /** The name for clients: 1 to 100 of A-Z a-z 0-9 _ . / - */
  readonly name: string;
  readonly title?: string;
  /** What it does, for the person or model that chooses among the types. */
  readonly description: string;
  /** A schema of a JSON object. */
  readonly input: Input;
  /** Left out: any JSON. */
  readonly output?: Output;
  /** A run that takes longer is aborted and has failed. Left out: no limit. */
  readonly timeoutMs?: number;
  /** Further runs after one that failed, with growing waits between them; none after a PermanentError. Left out: none. */
  readonly retries?: number;
  /** Runs of this type at once. Left out: only the limit of all types. */
  readonly concurrency?: number;
  /** How long a run usually takes, for clients. */
  readonly expectedMs?: number;
  run(input: z.output<Input>, context: TaskContext): Promise<z.input<Output>> | z.input<Output>;
}

/** A task type that a module exports. */
export interface DefinedTask {
  readonly name: string;
  /** What is wrong with the definition. The server reports it at its start. */
  readonly problems: readonly string[];
}

export function defineTask<Input extends z.ZodType, Output extends z.ZodType = z.ZodUnknown>(
  definition: TaskDefinition<Input, Output>,
): DefinedTask;

/** Thrown by a handler: another run would not help. */
export class PermanentError extends Error {
  override readonly name: "PermanentError";
}
