/** A task as the two protocols with tasks show it. Both use the internal id, which cannot be guessed. */
import type { Task, TaskStatus } from "../../domain/task.ts";
import { hasEnded } from "../../domain/task.ts";
import type { TaskSummary } from "../../service/ports/task-store.ts";
import { isoOf } from "../tools/schemas/output.ts";
import { ProtocolError } from "../errors.ts";
import type { ToolResult } from "../tools/define-tool.ts";

/** The extension of 2026-07-28 (SEP-2663). */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";
/** Marks a result of 2025-11-25 as that of a task. */
const RELATED_TASK = "io.modelcontextprotocol/related-task";
/** The poll interval suggested to clients. They need not poll: callbacks and notifications come by themselves. */
const POLL_INTERVAL_MS = 1000;

export interface TaskTerms {
  /** How long a task is kept at least, from its start; null: for ever. */
  readonly taskTtlMs: number | null;
}

/** The result of the tool that starts such tasks; throws a `ProtocolError` where the tool would answer with one. */
export type ResultOf = (task: Task) => ToolResult;

type JsonObject = { [key: string]: unknown };

/**
 * 2026-07-28, "Task". A tool's error is a result, so a task is `failed` only where the tool answers with a JSON-RPC error. The inlined
 * result has `resultType`, as a direct answer has; there the SDK adds it.
 */
export function detailedTask(task: Task, terms: TaskTerms, resultOf: ResultOf): JsonObject {
  const common = commonOf(task, terms);
  if (!hasEnded(task)) return { ...common, status: "working" };
  if (task.status === "cancelled") return { ...common, status: "cancelled" };
  try {
    return { ...common, status: "completed", result: { ...resultOf(task), resultType: "complete" } };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const { code, message, data } = error;
    return { ...common, status: "failed", statusMessage: message, error: { code, message, ...(data && { data }) } };
  }
}

/** 2026-07-28, "CreateTaskResult": flat, without result and error. */
export function createdTask(task: Task, terms: TaskTerms, resultOf: ResultOf): JsonObject {
  const { result: _result, error: _error, ...created } = detailedTask(task, terms, resultOf);
  return { resultType: "task", ...created };
}

function commonOf(task: Task, { taskTtlMs }: TaskTerms): JsonObject {
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
export function legacyTask(task: TaskSummary, { taskTtlMs }: TaskTerms): JsonObject {
  const status = LEGACY_STATUS[task.status];
  return { ...identityOf(task), status, ttl: taskTtlMs, pollInterval: POLL_INTERVAL_MS };
}

/** 2025-11-25, the result of `tasks/result`. */
export function relatedResult(task: Task, resultOf: ResultOf): JsonObject {
  return { ...resultOf(task), _meta: { [RELATED_TASK]: { taskId: task.id } } };
}

function identityOf(task: TaskSummary): JsonObject {
  return {
    taskId: task.id,
    statusMessage: statusMessageOf(task),
    createdAt: isoOf(task.createdAt),
    lastUpdatedAt: isoOf(lastUpdateOf(task)),
  };
}

/** For people: the state of the task. */
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

/** Null when this run has reported no progress; that of an earlier run does not count. */
function progressMessageOf({ progress, progressAt, startedAt }: TaskSummary): string | null {
  if (progress === null || (progressAt ?? 0) < (startedAt ?? 0)) return null;
  if (progress.message) return progress.message;
  return `The task is at ${progress.done}${progress.total === null ? "" : ` of ${progress.total}`}.`;
}

function lastUpdateOf({ createdAt, startedAt, progressAt, finishedAt }: TaskSummary): number {
  return finishedAt ?? Math.max(createdAt, startedAt ?? 0, progressAt ?? 0);
}
