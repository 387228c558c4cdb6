import type { InferSelectModel } from "drizzle-orm";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { Json } from "../../../domain/json.ts";
import type { Progress, Task, TaskReading } from "../../../domain/task.ts";
import type { Received } from "../../../service/ports/inbox-store.ts";
import type { inbox } from "./inbox.ts";
import type { events, tasks } from "./tables.ts";

/** Converts rows into domain objects. This store wrote the JSON that is parsed here, so it is not validated. */

/** The columns of a `Task`. */
export type TaskRow = Omit<InferSelectModel<typeof tasks>, StoreColumn>;
type StoreColumn = "eventCount" | "leaseDigest" | "leaseUntil" | "worker" | "mcpTask";

/** The columns of a `TaskReading`. */
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

/** `row` satisfies `eventIsEnd`. */
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
