import type { Json } from "./json.ts";
import type { Progress, Task, TaskOutcome } from "./task.ts";

/** How a task may end: what callbacks hear of unless they choose, and what MCP Events knows. */
export const END_TYPES = ["task_completed", "task_failed", "task_cancelled"] as const;
export type EndType = (typeof END_TYPES)[number];

/** What a callback may choose to hear of. */
export const EVENT_TYPES = [...END_TYPES, "task_progress"] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What a client of MCP Events may subscribe to. `task_finished` selects any end: the same events, not others. */
export const EVENT_NAMES = [...END_TYPES, "task_finished"] as const;
export type EventName = (typeof EVENT_NAMES)[number];

export function typesOf(name: EventName): readonly EndType[] {
  return name === "task_finished" ? END_TYPES : [name];
}

/** An immutable fact. Stored once, whatever number of callbacks it goes to. */
export type Event = EndEvent | ProgressEvent;

export interface EndEvent extends Fact {
  readonly type: EndType;
  readonly data: EndData;
}
/** How far a task was at a moment: of no use once there is a newer one or the end. */
export interface ProgressEvent extends Fact {
  readonly type: "task_progress";
  readonly data: ProgressData;
}

interface Fact {
  readonly id: string;
  readonly occurredAt: number;
}
interface About {
  readonly task_id: string;
  readonly started_by: string;
  /** From 1: which of the task's events this one is. An event that was made before there were numbers has none. */
  readonly sequence?: number;
}
export interface EndData extends About {
  readonly status: TaskOutcome["status"];
  readonly result?: Json;
  readonly error?: string;
}
export interface ProgressData extends About {
  readonly status: "running";
  readonly progress: Progress;
}

const EVENT_OF_END = {
  completed: "task_completed",
  failed: "task_failed",
  cancelled: "task_cancelled",
} as const satisfies Record<TaskOutcome["status"], EndType>;

export function eventTypeOf(status: TaskOutcome["status"]): EndType {
  return EVENT_OF_END[status];
}

type NamedTask = Pick<Task, "taskId" | "clientId">;

export function eventDataOf(task: NamedTask, outcome: TaskOutcome, sequence: number): EndData {
  const common = { task_id: task.taskId, started_by: task.clientId, status: outcome.status, sequence };
  return outcome.status === "completed" ? { ...common, result: outcome.result } : { ...common, error: outcome.error };
}

export function progressDataOf(task: NamedTask, progress: Progress, sequence: number): ProgressData {
  return { task_id: task.taskId, started_by: task.clientId, status: "running", sequence, progress };
}
