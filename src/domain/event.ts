import type { Json } from "./json.ts";
import type { Progress, Task, TaskOutcome } from "./task.ts";

/** How a task may end. Callbacks select these by default; MCP Events has no others. */
export const END_TYPES = ["task_completed", "task_failed", "task_cancelled"] as const;
export type EndType = (typeof END_TYPES)[number];

/** The events that a callback may select. */
export const EVENT_TYPES = [...END_TYPES, "task_progress"] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** The names that a client of MCP Events may subscribe to. `task_finished` selects every end; its events are the same. */
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
/** The progress of a task at one time: of no use after a newer one or the end. */
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
  /** The number of the event among its task's, from 1. An event that was stored before there were numbers has none. */
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
