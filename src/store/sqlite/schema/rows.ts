import type { InferSelectModel } from "drizzle-orm";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { Json } from "../../../domain/json.ts";
import type { Progress, Task, TaskReading } from "../../../domain/task.ts";
import type { Received } from "../../../service/ports/inbox-store.ts";
import type { inbox } from "./inbox.ts";
import type { events, tasks } from "./tables.ts";

/** Rows into the domain's nouns. What is parsed here was written by this store. */

/** The columns that a task is made of. */
export type TaskRow = Omit<InferSelectModel<typeof tasks>, NotOfTask>;
type NotOfTask = "eventCount" | "leaseDigest" | "leaseUntil" | "worker" | "mcpTask";

/** Those of them that whoever asks after it is told of. */
export type TaskReadingRow = Pick<TaskRow, "status" | "result" | "error" | "progress">;

export function toTask(row: InferSelectModel<typeof tasks>): Task {
  const { eventCount: _, leaseDigest: _digest, leaseUntil: _until, worker: _worker, mcpTask: _mcp, ...task } = row;
  return taskOf(task);
}

export function taskOf(row: TaskRow): Task {
  return { ...row, ...readingOf(row) };
}

export function readingOf({ status, result, error, progress }: TaskReadingRow): TaskReading {
  return {
    status,
    result: result === null ? null : (JSON.parse(result) as Json),
    error,
    progress: progressOf(progress),
  };
}

export function progressOf(text: string | null): Progress | null {
  return text === null ? null : (JSON.parse(text) as Progress);
}

type EventRow = Pick<InferSelectModel<typeof events>, "id" | "type" | "occurredAt" | "data">;

export function toEvent(row: EventRow): Event {
  const { id, type, occurredAt, data } = row;
  return { id, type, occurredAt, data: JSON.parse(data) };
}

/** Of a row that `eventIsEnd` was asked of. */
export function toEndEvent(row: EventRow): EndEvent {
  return toEvent(row) as EndEvent;
}

export function toReceived(row: InferSelectModel<typeof inbox>): Received {
  return {
    receivedAt: row.receivedAt,
    headers: JSON.parse(row.headers) as Record<string, string>,
    body: JSON.parse(row.body) as Json,
  };
}
