import type { InferSelectModel } from "drizzle-orm";
import { EVENT_TYPES } from "../../../domain/event.ts";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { Json } from "../../../domain/json.ts";
import type { Progress, Task, TaskReading } from "../../../domain/task.ts";
import type { Received } from "../../../service/ports/inbox-store.ts";
import type { inbox } from "./inbox.ts";
import type { events, tasks } from "./tables.ts";
import { storedJson } from "./unreadable.ts";
import type { ReportUnreadable } from "./unreadable.ts";

/**
 * Converts rows into domain objects. This store wrote the JSON that is parsed here, so its schema is not validated. A damaged file or
 * another program may have left text that is not JSON. Such a row is shown without it or left out, and reported: it must not stop the
 * work on all rows.
 */

/** The columns of a `Task`. */
export type TaskRow = Omit<InferSelectModel<typeof tasks>, StoreColumn>;
type StoreColumn = "eventCount" | "leaseDigest" | "leaseUntil" | "worker" | "mcpTask";

/** The columns of a `TaskReading`. */
export type TaskReadingRow = Pick<TaskRow, "status" | "result" | "error" | "progress">;

export function toTask(row: InferSelectModel<typeof tasks>, report: ReportUnreadable): Task {
  const { eventCount: _, leaseDigest: _digest, leaseUntil: _until, worker: _worker, mcpTask: _mcp, ...task } = row;
  return taskOf(task, report);
}

export function taskOf(row: TaskRow, report: ReportUnreadable): Task {
  return { ...row, ...readingOf(row, row.taskId, report) };
}

/** A task whose result cannot be read shows as failed: null would look like a result. */
export function readingOf(row: TaskReadingRow, taskId: string, report: ReportUnreadable): TaskReading {
  const { status, error } = row;
  const progress = progressOf(row.progress, taskId, report);
  if (row.result === null) return { status, result: null, error, progress };
  const result = storedJson(row.result);
  if (result !== undefined) return { status, result, error, progress };
  report(`the result of task ${taskId}`, "the task shows as failed");
  return { status: "failed", result: null, error: "The stored result of this task cannot be read.", progress };
}

export function progressOf(text: string | null, taskId: string, report: ReportUnreadable): Progress | null {
  if (text === null) return null;
  const progress = storedJson(text);
  if (isObject(progress)) return progress as unknown as Progress;
  report(`the progress of task ${taskId}`, "the task shows none");
  return null;
}

type EventRow = Pick<InferSelectModel<typeof events>, "id" | "type" | "occurredAt" | "data">;

export function toEvent(row: EventRow): Event {
  const { id, type, occurredAt, data } = row;
  return { id, type, occurredAt, data: JSON.parse(data) };
}

/** Null: it cannot be read. */
export function readEvent(row: EventRow): Event | null {
  const data = storedJson(row.data);
  const isReadable =
    isObject(data) &&
    typeof data["task_id"] === "string" &&
    EVENT_TYPES.includes(row.type) &&
    !Number.isNaN(new Date(row.occurredAt).getTime());
  const { id, type, occurredAt } = row;
  return isReadable ? ({ id, type, occurredAt, data } as unknown as Event) : null;
}

/** `row` satisfies `eventIsEnd`. Empty: it cannot be read. */
export function toEndEvent(row: EventRow, report: ReportUnreadable): readonly EndEvent[] {
  const event = readEvent(row);
  if (event === null) report(`event ${row.id}`, "it is left out");
  return event === null ? [] : [event as EndEvent];
}

/** Empty: it cannot be read. */
export function toReceived(row: InferSelectModel<typeof inbox>, report: ReportUnreadable): readonly Received[] {
  const headers = storedJson(row.headers);
  const body = storedJson(row.body);
  if (isObject(headers) && body !== undefined)
    return [{ receivedAt: row.receivedAt, headers: headers as Record<string, string>, body }];
  report(`POST ${row.seq} of the test receiver`, "it is left out");
  return [];
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
