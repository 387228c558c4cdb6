import type { TaskOutcome } from "../../domain/task.ts";

/** `taskId` is the client's. */
export type TaskTelemetry =
  | { readonly kind: "task.started"; readonly taskId: string; readonly taskType: string; readonly clientId: string }
  | { readonly kind: "task.running"; readonly taskId: string; readonly taskType: string; readonly runCount: number }
  | { readonly kind: "task.progress"; readonly taskId: string; readonly done: number; readonly total: number | null }
  | {
      readonly kind: "task.finished";
      readonly taskId: string;
      readonly status: TaskOutcome["status"];
      readonly eventId: string;
      readonly deliveryCount: number;
    }
  /** A run of a handler has failed. The next one follows after `waitMs`. */
  | {
      readonly kind: "task.retrying";
      readonly taskId: string;
      readonly taskType: string;
      readonly runCount: number;
      readonly error: string;
      readonly waitMs: number;
    }
  /** A worker has reported that its run failed. Another claim is possible after `waitMs`. */
  | {
      readonly kind: "task.released";
      readonly taskId: string;
      readonly taskType: string;
      readonly worker: string;
      readonly runCount: number;
      readonly waitMs: number;
    }
  /** A worker has neither renewed its lease nor ended the task: another worker gets it. */
  | { readonly kind: "task.lease_lost"; readonly taskId: string; readonly taskType: string; readonly worker: string }
  /** A log line of the handler. */
  | {
      readonly kind: "task.logged";
      readonly level: "info" | "warn" | "error";
      readonly taskId: string;
      readonly taskType: string;
      readonly message: string;
    };
