import type { InferSelectModel } from "drizzle-orm";
import type { Callback } from "../../../domain/callback.ts";
import { EVENT_TYPES } from "../../../domain/event.ts";
import type { EndEvent, Event, EventType } from "../../../domain/event.ts";
import type { Json } from "../../../domain/json.ts";
import type { Progress, Task, TaskReading } from "../../../domain/task.ts";
import type { Received } from "../../../service/ports/inbox-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { inbox } from "./inbox.ts";
import type { callbacks, events, tasks } from "./tables.ts";

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

/** The columns of a `Callback`. */
export type CallbackRow = Omit<InferSelectModel<typeof callbacks>, "awaitsTask" | "expiresAt">;

/** Throws when the secret cannot be decrypted. */
export function toCallback(row: CallbackRow, cipher: SecretCipher): Callback {
  const { id, principal, taskId, clientId, url, status, registeredAt, notAfter } = row;
  const { failingSince, failures, lastError, disabledReason, disabledAt } = row;
  return {
    id,
    principal,
    taskId,
    clientId,
    url,
    events: toEventTypes(row.events),
    signingSecret: cipher.open(id, row.signingSecret),
    profile: row.profile,
    subscription:
      row.subscriptionId === null || row.eventName === null ? null : { id: row.subscriptionId, name: row.eventName },
    status,
    registeredAt,
    notAfter,
    health: { failingSince, failures, lastError, disabledReason, disabledAt },
  };
}

export function toEventTypes(text: string): readonly EventType[] {
  const names = text.split(",");
  return EVENT_TYPES.filter((type) => names.includes(type));
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
