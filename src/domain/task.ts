import { beginningOf } from "./beginning.ts";
import { isNestedDeeper, JSON_DEPTH_MAX } from "./json.ts";
import type { Json } from "./json.ts";

/**
 * pending: stored, waits for a run. running: claimed by the runner, by a worker, or by the job with its completion URL. A run that a
 * crash of the process cut off makes it pending again.
 * completed, failed, cancelled: final; each end writes one event.
 */
export type TaskStatus = "pending" | "running" | "completed" | "failed" | "cancelled";

/**
 * What runs a task. handler: a handler in this process. worker: an external worker, which claims the task over HTTP and holds a lease on
 * it. completion_url: an external service that has the task's completion URL; such a task is running from its start on.
 */
export type Executor = "handler" | "worker" | "completion_url";

export interface Task {
  /** Internal (`tsk_…`); clients know the task by `taskId`. */
  readonly id: string;
  readonly principal: string;
  readonly taskId: string;
  /** The client that started it. */
  readonly clientId: string;
  readonly taskType: string;
  readonly executor: Executor;
  /** Canonical JSON text, or null when none was given. */
  readonly input: string | null;
  readonly status: TaskStatus;
  readonly result: Json;
  /** Why it failed or was cancelled; of a pending one: why its last run failed. */
  readonly error: string | null;
  /** The runs that have begun: more than 1 after a failed run, or after the process died during a run. */
  readonly runCount: number;
  /** Runs that failed: so many of the retries of its type are used. */
  readonly failures: number;
  /** Runs in a row that a crash of the process has cut off. A run that ends by itself resets the count. */
  readonly crashes: number;
  /** While pending: no run begins before (epoch ms). */
  readonly dueAt: number;
  /** When its client wanted the first run (epoch ms); null: at once. */
  readonly startAfter: number | null;
  /** The last that was reported; null: none was. */
  readonly progress: Progress | null;
  /** When that was (epoch ms). */
  readonly progressAt: number | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
}

/** The parts of a task that are read most. */
export type TaskReading = Pick<Task, "status" | "result" | "error" | "progress">;

/** How far a task is, in units that its handler chooses. `total`: null when unknown. */
export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly message: string | null;
}

/** How a task ended. `error` is a sentence for the clients. */
export type TaskOutcome =
  | { readonly status: "completed"; readonly result: Json }
  | { readonly status: "failed"; readonly error: string }
  | { readonly status: "cancelled"; readonly error: string };

export interface StartRequest {
  readonly clientId: string;
  readonly taskType: string;
  readonly executor: Executor;
  readonly input: string | null;
  /** Epoch ms; null: at once. */
  readonly startAfter: number | null;
}

/** A task whose end is known. */
export type EndedTask = Task & { readonly status: TaskOutcome["status"] };

export function hasEnded(task: Task): task is EndedTask {
  return isEnd(task.status);
}

export function isEnd(status: TaskStatus): status is TaskOutcome["status"] {
  return status !== "pending" && status !== "running";
}

/** A task that was running at so many crashes of the process in a row is not run again: it may be what killed it. */
export const CRASHES_MAX = 5;
/** From so many on it may be poison: no two of them run at a time, so that the next crash shows which one it is. */
export const POISON_CRASHES = 2;

export const TASK_INPUT_BYTES_MAX = 256 * 1024;
/** Measured serialised; leaves room for the envelope in an event body of 256 KiB. */
export const TASK_RESULT_BYTES_MAX = 240 * 1024;
const TASK_ERROR_CHARS_MAX = 4096;

/** How far ahead start_after may be. */
export const START_AFTER_MS_MAX = 30 * 86_400_000;
const PROGRESS_MESSAGE_CHARS_MAX = 1000;

/** Null: `done` is no number. */
export function progressOf(done: number, total: number | null, message: string | null): Progress | null {
  if (!Number.isFinite(done)) return null;
  const shown = total !== null && Number.isFinite(total) ? total : null;
  return { done, total: shown, message: message === null ? null : beginningOf(message, PROGRESS_MESSAGE_CHARS_MAX) };
}

/** Whether a second start is a client's retry of the first, so that the task runs once, or another start under the same id. */
export function isSameStart(task: StartRequest, request: StartRequest): boolean {
  return (
    task.clientId === request.clientId &&
    task.taskType === request.taskType &&
    task.input === request.input &&
    task.startAfter === request.startAfter &&
    hasCompletionUrl(task) === hasCompletionUrl(request)
  );
}

export function hasCompletionUrl({ executor }: Pick<Task, "executor">): boolean {
  return executor === "completion_url";
}

export const UNREADABLE_INPUT = "The stored input of this task cannot be read.";

/** Undefined: the stored text cannot be read. */
export function inputOf({ input }: Pick<Task, "input">): Json | undefined {
  if (input === null) return null;
  try {
    return JSON.parse(input) as Json;
  } catch {
    return undefined;
  }
}

/** The end of a task whose handler returned `value`: completed, or failed if `value` is no JSON or over the limit. */
export function completedWith(value: unknown): TaskOutcome {
  const text = jsonTextOf(value);
  if (text === null) return failedWith("The task returned something that JSON cannot express.");
  const result = JSON.parse(text) as Json;
  if (isNestedDeeper(result, JSON_DEPTH_MAX))
    return failedWith(`The result is nested deeper than ${JSON_DEPTH_MAX} levels.`);
  const bytes = Buffer.byteLength(text);
  if (bytes <= TASK_RESULT_BYTES_MAX) return { status: "completed", result };
  return failedWith(
    `The result has ${bytes} bytes of JSON, over the limit of ${TASK_RESULT_BYTES_MAX}; return a reference to it.`,
  );
}

/** The end of a task whose handler threw `error`, whatever that is; clients see its message. */
export function failedWith(error: unknown): TaskOutcome {
  const message = error instanceof Error ? error.message : typeof error === "string" ? error : "";
  return {
    status: "failed",
    error: beginningOf(message || "The task failed without a message.", TASK_ERROR_CHARS_MAX),
  };
}

function jsonTextOf(value: unknown): string | null {
  try {
    // JSON.stringify gives undefined for undefined and for functions: a handler that returns nothing has the result null.
    return JSON.stringify(value) ?? "null";
  } catch {
    return null;
  }
}
