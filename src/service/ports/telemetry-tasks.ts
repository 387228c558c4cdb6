import type { TaskOutcome } from "../../domain/task.ts";

export interface TaskIdentity {
  readonly principal: string;
  /** The client's. */
  readonly taskId: string;
}

export type TaskTelemetry = TaskIdentity &
  (
    | { readonly kind: "task.started"; readonly taskType: string; readonly clientId: string }
    | { readonly kind: "task.running"; readonly taskType: string; readonly runCount: number }
    | { readonly kind: "task.progress"; readonly done: number; readonly total: number | null }
    | {
        readonly kind: "task.finished";
        readonly status: TaskOutcome["status"];
        readonly eventId: string;
        readonly deliveryCount: number;
      }
    /** A run of a handler has failed. The next one follows after `waitMs`. */
    | {
        readonly kind: "task.retrying";
        readonly taskType: string;
        readonly runCount: number;
        readonly error: string;
        readonly waitMs: number;
      }
    /** A worker has reported that its run failed. Another claim is possible after `waitMs`. */
    | {
        readonly kind: "task.released";
        readonly taskType: string;
        readonly worker: string;
        readonly runCount: number;
        readonly waitMs: number;
      }
    /** A worker has neither renewed its lease nor ended the task: another worker gets it. */
    | { readonly kind: "task.lease_lost"; readonly taskType: string; readonly worker: string }
    /** A log line of the handler. */
    | {
        readonly kind: "task.logged";
        readonly level: "info" | "warn" | "error";
        readonly taskType: string;
        readonly message: string;
      }
  );
