import type { Json } from "./json.ts";
import type { Task, TaskOutcome } from "./task.ts";

export const EVENT_TYPES = ["task_completed", "task_failed", "task_cancelled"] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** An immutable fact. Stored once, whatever number of callbacks it goes to. */
export interface Event {
  readonly id: string;
  readonly type: EventType;
  readonly occurredAt: number;
  readonly data: EventData;
}

export interface EventData {
  readonly task_id: string;
  readonly started_by: string;
  readonly status: TaskOutcome["status"];
  /** From 1: which of the task's events this one is. An event that was made before there were numbers has none. */
  readonly sequence?: number;
  readonly result?: Json;
  readonly error?: string;
}

const EVENT_OF_END = {
  completed: "task_completed",
  failed: "task_failed",
  cancelled: "task_cancelled",
} as const satisfies Record<TaskOutcome["status"], EventType>;

export function eventTypeOf(status: TaskOutcome["status"]): EventType {
  return EVENT_OF_END[status];
}

export function eventDataOf(
  task: Pick<Task, "taskId" | "clientId">,
  outcome: TaskOutcome,
  sequence: number,
): EventData {
  const common = { task_id: task.taskId, started_by: task.clientId, status: outcome.status, sequence };
  return outcome.status === "completed" ? { ...common, result: outcome.result } : { ...common, error: outcome.error };
}
