import { DomainError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Json } from "../domain/json.ts";
import { isSameStart, TASK_INPUT_BYTES_MAX } from "../domain/task.ts";
import type { StartRequest, Task, TaskOutcome } from "../domain/task.ts";
import type { Announce } from "./announcements.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Clock, Store, StartTaskResult, TaskCatalog } from "./ports.ts";

export const DEFAULT_TASK_TYPE = "demo";

export interface TasksNeeds {
  readonly store: Pick<Store, "startTask" | "findTask" | "finishTask">;
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

export type Tasks = ReturnType<typeof createTasks>;

export function createTasks({ store, clock, catalog, announce, feed, wakeRunner, wakeDispatcher }: TasksNeeds) {
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

    /** The task as it is now; `not_found` when it was never started, callbacks registered or not, or has been removed. */
    async find(principal: string, taskId: string): Promise<Task> {
      const task = await store.findTask(principal, taskId);
      if (task !== null) return task;
      throw new DomainError(
        "not_found",
        `Task ${taskId} is unknown: never started, or ended long ago and removed. Start it with start_task_with_callbacks, or check the task_id.`,
      );
    },

    /** The one end of a task: row, event and deliveries commit together, then the dispatcher wakes. */
    async finish(task: Task, outcome: TaskOutcome): Promise<void> {
      const finished = await store.finishTask({ id: task.id, outcome, now: clock.now() });
      if (finished === null) return;
      const { event, deliveryCount } = finished;
      announce({
        kind: "task.finished",
        taskId: task.taskId,
        status: outcome.status,
        eventId: event.id,
        deliveryCount,
      });
      wakeDispatcher();
      feed.publish({ principal: task.principal, task: task.id, event });
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
