/** A task in the words of the two protocols that have tasks. Both are told the internal id, which cannot be guessed. */
import type { Task, TaskStatus } from "../../domain/task.ts";
import { hasEnded } from "../../domain/task.ts";
import type { TaskSummary } from "../../service/ports/task-store.ts";
import { isoOf } from "../tools/schemas/answers.ts";
import { RpcError } from "../errors.ts";
import type { ToolResult } from "../tools/define-tool.ts";

/** The extension of 2026-07-28 (SEP-2663). */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";
/** Marks a result of 2025-11-25 as that of a task. */
const RELATED_TASK = "io.modelcontextprotocol/related-task";
/** How often those who poll should do so. They need not: callbacks and notifications come by themselves. */
const POLL_INTERVAL_MS = 1000;

export interface TaskTerms {
  /** How long a task can be asked for at least, from its start on; null: for ever. */
  readonly taskTtlMs: number | null;
}

/** What the tool that started a task answers with; throws an `RpcError` where it would answer with one. */
export type ResultOf = (task: Task) => ToolResult;

type Wire = { [key: string]: unknown };

/**
 * 2026-07-28, "Task". A tool's error is a result, so `failed` is only what the tool answers with a JSON-RPC error. The result says what
 * kind of result it is, as the answer to the call itself would: the SDK adds that only to answers.
 */
export function detailedTask(task: Task, terms: TaskTerms, resultOf: ResultOf): Wire {
  const common = commonOf(task, terms);
  if (!hasEnded(task)) return { ...common, status: "working" };
  if (task.status === "cancelled") return { ...common, status: "cancelled" };
  try {
    return { ...common, status: "completed", result: { ...resultOf(task), resultType: "complete" } };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { code, message, data } = error;
    return { ...common, status: "failed", statusMessage: message, error: { code, message, ...(data && { data }) } };
  }
}

/** 2026-07-28, "CreateTaskResult": flat, and without what the task has come to. */
export function createdTask(task: Task, terms: TaskTerms, resultOf: ResultOf): Wire {
  const { result: _result, error: _error, ...created } = detailedTask(task, terms, resultOf);
  return { resultType: "task", ...created };
}

function commonOf(task: Task, { taskTtlMs }: TaskTerms): Wire {
  return { ...identityOf(task), ttlMs: taskTtlMs, pollIntervalMs: POLL_INTERVAL_MS };
}

const LEGACY_STATUS = {
  pending: "working",
  running: "working",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
} as const satisfies Record<TaskStatus, string>;

/** 2025-11-25, "Task". `failed` includes what the tool answers with `isError`. */
export function legacyTask(task: TaskSummary, { taskTtlMs }: TaskTerms): Wire {
  const status = LEGACY_STATUS[task.status];
  return { ...identityOf(task), status, ttl: taskTtlMs, pollInterval: POLL_INTERVAL_MS };
}

/** 2025-11-25, the result of `tasks/result`. */
export function relatedResult(task: Task, resultOf: ResultOf): Wire {
  return { ...resultOf(task), _meta: { [RELATED_TASK]: { taskId: task.id } } };
}

function identityOf(task: TaskSummary): Wire {
  return {
    taskId: task.id,
    statusMessage: statusMessageOf(task),
    createdAt: isoOf(task.createdAt),
    lastUpdatedAt: isoOf(lastUpdateOf(task)),
  };
}

/** For people: what the task is doing, or how it has ended. */
function statusMessageOf(task: TaskSummary): string {
  const { status, error } = task;
  switch (status) {
    case "pending":
      return error === null
        ? "The task waits to be run."
        : `The task waits for its next run; the last one failed: ${error}`;
    case "running":
      return progressMessageOf(task) ?? "The task is running.";
    case "completed":
      return "The task has completed.";
    case "failed":
    case "cancelled":
      return error ?? `The task has ${status}.`;
  }
}

/** Null when this run has not reported any: what an earlier one reported does not count. */
function progressMessageOf({ progress, progressAt, startedAt }: TaskSummary): string | null {
  if (progress === null || (progressAt ?? 0) < (startedAt ?? 0)) return null;
  if (progress.message) return progress.message;
  return `The task is at ${progress.done}${progress.total === null ? "" : ` of ${progress.total}`}.`;
}

function lastUpdateOf({ createdAt, startedAt, progressAt, finishedAt }: TaskSummary): number {
  return finishedAt ?? Math.max(createdAt, startedAt ?? 0, progressAt ?? 0);
}
