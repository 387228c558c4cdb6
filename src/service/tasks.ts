import { DomainError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Json } from "../domain/json.ts";
import { isSameStart, TASK_INPUT_BYTES_MAX } from "../domain/task.ts";
import type { StartRequest, Task, TaskOutcome } from "../domain/task.ts";
import type { Announce } from "./announcements.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Clock, FinishTaskResult, Store, StartTaskResult, TaskCatalog } from "./ports.ts";

export const DEFAULT_TASK_TYPE = "demo";
/** The `error` of a cancelled task. */
const CANCELLED_BY_REQUEST = "The task was cancelled on request.";

export interface TasksNeeds {
  readonly store: Pick<Store, "startTask" | "findTask" | "finishTask" | "cancelTask">;
  readonly clock: Pick<Clock, "now">;
  readonly catalog: TaskCatalog;
  readonly announce: Announce;
  readonly feed: Pick<EventFeed, "publish">;
  readonly wakeRunner: () => void;
  readonly wakeDispatcher: () => void;
}

export interface StartedTask extends StartTaskResult {
  readonly expectedMs: number | null;
}

export interface CancelledTask {
  /** `ended`: it had ended before. */
  readonly kind: "cancelled" | "ended";
  readonly status: TaskOutcome["status"];
  /** Of the end that this call made. */
  readonly deliveryCount: number;
}

export type Tasks = ReturnType<typeof createTasks>;

export function createTasks({ store, clock, catalog, announce, feed, wakeRunner, wakeDispatcher }: TasksNeeds) {
  /** The task as it is now; `not_found` when it was never started, callbacks registered or not, or has been removed. */
  async function find(principal: string, taskId: string): Promise<Task> {
    const task = await store.findTask(principal, taskId);
    if (task !== null) return task;
    throw new DomainError(
      "not_found",
      `Task ${taskId} is unknown: never started, or ended long ago and removed. Start it with start_task_with_callbacks, or check the task_id.`,
    );
  }

  async function endOf(principal: string, taskId: string): Promise<TaskOutcome["status"]> {
    const { status } = await find(principal, taskId);
    if (status === "pending" || status === "running")
      throw new Error(`Task ${taskId} is ${status} and cannot be cancelled`);
    return status;
  }

  /** After the commit of a task's end. */
  function tellEnd({ id, principal, taskId }: Task, { event, deliveryCount }: FinishTaskResult): void {
    const { status } = event.data;
    announce({ kind: "task.finished", taskId, status, eventId: event.id, deliveryCount });
    wakeDispatcher();
    feed.publish({ principal, task: id, event });
  }

  return {
    /** Stores the task before it answers. The same start again finds the task that runs; a different one is a `conflict`. */
    async start(
      principal: string,
      start: { taskId: string; clientId: string; taskType?: string | undefined; input?: Json | undefined },
    ): Promise<StartedTask> {
      const { taskId, clientId, taskType = DEFAULT_TASK_TYPE } = start;
      const type = catalog.find(taskType);
      if (type === undefined) throw unknownTaskType(taskType, catalog.names());
      const request = { clientId, taskType, input: inputText(start.input) };
      const result = await store.startTask({ principal, taskId, request, now: clock.now() });
      if (result.kind === "existing") {
        if (!isSameStart(result.task, request)) throw anotherStart(taskId, result.task, request);
      } else {
        announce({ kind: "task.started", taskId, taskType, clientId });
        wakeRunner();
      }
      return { ...result, expectedMs: type.expectedMs };
    },

    find,

    /** The end of a task that has run: row, event and deliveries commit together, then the dispatcher wakes. Not if it was cancelled. */
    async finish(task: Task, outcome: TaskOutcome): Promise<void> {
      const finished = await store.finishTask({ id: task.id, outcome, now: clock.now() });
      if (finished === null) return;
      tellEnd(task, finished);
    },

    /**
     * Ends a task that is pending or running: it is never run, or its handler is interrupted. One that has ended is found as it is, so
     * the same call again changes nothing.
     */
    async cancel(principal: string, taskId: string): Promise<CancelledTask> {
      const task = await find(principal, taskId);
      const cancelled = await store.cancelTask({ id: task.id, error: CANCELLED_BY_REQUEST, now: clock.now() });
      if (cancelled === null) return { kind: "ended", status: await endOf(principal, taskId), deliveryCount: 0 };
      tellEnd(task, cancelled);
      return { kind: "cancelled", status: "cancelled", deliveryCount: cancelled.deliveryCount };
    },
  };
}

function inputText(input: Json | undefined): string | null {
  if (input === undefined) return null;
  const text = canonicalJson(input);
  const bytes = Buffer.byteLength(text);
  if (bytes <= TASK_INPUT_BYTES_MAX) return text;
  throw new DomainError(
    "limit",
    `input has ${bytes} bytes of JSON, over the limit of ${TASK_INPUT_BYTES_MAX}; pass a reference to the data instead.`,
  );
}

function unknownTaskType(taskType: string, names: readonly string[]): DomainError {
  return new DomainError(
    "invalid",
    `task_type ${JSON.stringify(taskType)} is unknown; this server offers: ${names.join(", ")}.`,
  );
}

function anotherStart(taskId: string, task: Task, request: StartRequest): DomainError {
  const differing = [
    task.clientId === request.clientId ? [] : ["client_id"],
    task.taskType === request.taskType ? [] : ["task_type"],
    task.input === request.input ? [] : ["input"],
  ].flat();
  return new DomainError(
    "conflict",
    `Task ${taskId} was already started with another ${differing.join(" and ")}; use a new task_id for new work.`,
  );
}
