import { DomainError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Json } from "../domain/json.ts";
import { hasCompletionUrl, hasEnded, isSameStart, TASK_INPUT_BYTES_MAX } from "../domain/task.ts";
import type { DoneBy, StartRequest, Task, TaskOutcome } from "../domain/task.ts";
import type { Announce } from "./announcements.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Clock, FinishTaskResult, ListTasks, Store, StartTaskResult, TaskSummary } from "./ports.ts";
import type { TaskCatalog, TaskType } from "./task-types.ts";
import { createTaskWaits } from "./task-waits.ts";
import type { EndRight, NewCompletion } from "./worker-ports.ts";

export const DEFAULT_TASK_TYPE = "demo";
/** The `error` of a cancelled task. */
const CANCELLED_BY_REQUEST = "The task was cancelled on request.";

export interface TasksNeeds {
  readonly store: Pick<Store, "startTask" | "findTask" | "findTaskById" | "listTasks" | "finishTask" | "cancelTask">;
  readonly clock: Pick<Clock, "now">;
  readonly catalog: TaskCatalog;
  readonly announce: Announce;
  readonly feed: EventFeed;
  readonly wakeRunner: () => void;
  /** After the start of a task that is done outside. */
  readonly wakeWorkers: () => void;
  readonly wakeDispatcher: () => void;
}

export interface TaskStart {
  /** Of the client's choice; without one the task has its internal id for one too. */
  readonly taskId?: string | undefined;
  readonly clientId: string;
  readonly taskType?: string | undefined;
  readonly input?: Json | undefined;
  /** Whoever holds its completion URL does it, and no worker. */
  readonly completion?: NewCompletion | undefined;
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

export function createTasks(needs: TasksNeeds) {
  const { store, clock, catalog, announce, feed, wakeRunner, wakeWorkers, wakeDispatcher } = needs;
  const waits = createTaskWaits(feed);

  /** The task as it is now; `not_found` when it was never started, callbacks registered or not, or has been removed. */
  async function find(principal: string, taskId: string): Promise<Task> {
    const task = await store.findTask(principal, taskId);
    if (task !== null) return task;
    throw new DomainError(
      "not_found",
      `Task ${taskId} is unknown: never started, or ended long ago and removed. Start it with start_task_with_callbacks, or check the task_id.`,
    );
  }

  async function cancelFound(task: Task): Promise<CancelledTask> {
    const cancelled = await store.cancelTask({ id: task.id, error: CANCELLED_BY_REQUEST, now: clock.now() });
    if (cancelled === null) return { kind: "ended", status: await endOf(task), deliveryCount: 0 };
    tellEnd(task, cancelled);
    return { kind: "cancelled", status: "cancelled", deliveryCount: cancelled.deliveryCount };
  }

  async function endOf({ principal, taskId }: Task): Promise<TaskOutcome["status"]> {
    const task = await find(principal, taskId);
    if (hasEnded(task)) return task.status;
    throw new Error(`Task ${taskId} is ${task.status} and was not cancelled`);
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
    async start(principal: string, start: TaskStart): Promise<StartedTask> {
      const { taskId = null, clientId, taskType = DEFAULT_TASK_TYPE, completion } = start;
      const type = await catalog.find(taskType);
      if (type === undefined) throw unknownTaskType(taskType, await catalog.list());
      const doneBy = doerOf(type, completion);
      const request = { clientId, taskType, doneBy, input: inputText(type, start.input) };
      const now = clock.now();
      const result = await store.startTask({ principal, taskId, request, now, ...(completion && { completion }) });
      const { kind, task } = result;
      if (kind === "existing") {
        if (!isSameStart(task, request)) throw anotherStart(task, request);
        if (completion !== undefined && !result.hasCompletion && !hasEnded(task)) throw noMoreCompletions(task);
      } else {
        announce({ kind: "task.started", taskId: task.taskId, taskType, clientId });
        if (doneBy === "handler") wakeRunner();
        else wakeWorkers();
      }
      return { ...result, expectedMs: type.expectedMs };
    },

    find,

    /** The kinds of work on offer. */
    types: (): Promise<readonly TaskType[]> => catalog.list(),

    /** The end of a task that has run: row, event and deliveries commit together, then the dispatcher wakes. False: it had ended, or the right did not hold. */
    async finish(task: Task, outcome: TaskOutcome, right?: EndRight): Promise<boolean> {
      const finished = await store.finishTask({ id: task.id, outcome, now: clock.now(), ...(right && { right }) });
      if (finished === null) return false;
      tellEnd(task, finished);
      return true;
    },

    /**
     * Ends a task that is pending or running: it is never run, or its handler is interrupted. One that has ended is found as it is, so
     * the same call again changes nothing.
     */
    async cancel(principal: string, taskId: string): Promise<CancelledTask> {
      return cancelFound(await find(principal, taskId));
    },

    /** As `cancel`, by the internal id; null when the principal has no such task. */
    async cancelById(principal: string, id: string): Promise<CancelledTask | null> {
      const task = await store.findTaskById(principal, id);
      return task === null ? null : cancelFound(task);
    },

    /** By the internal id; null when the principal has no such task. */
    findById: (principal: string, id: string): Promise<Task | null> => store.findTaskById(principal, id),

    /** The principal's tasks, the newest first; `before`: the internal id with which the page before ended. */
    list: (query: ListTasks): Promise<readonly TaskSummary[]> => store.listTasks(query),

    /** The task once it has ended, or as it is when `signal` aborts. */
    async untilEnded(task: Task, signal: AbortSignal): Promise<Task> {
      const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
      // Before the look into the store, or an end between the two would be missed.
      const stopWaiting = waits.add(task.id, wake);
      const abort = (): void => wake();
      signal.addEventListener("abort", abort);
      try {
        const found = await store.findTaskById(task.principal, task.id);
        if (found === null || hasEnded(found)) return found ?? task;
        if (!signal.aborted) await woken;
      } finally {
        stopWaiting();
        signal.removeEventListener("abort", abort);
      }
      return (await store.findTaskById(task.principal, task.id)) ?? task;
    },
  };
}

function noMoreCompletions({ taskId }: Task): DomainError {
  return new DomainError(
    "limit",
    `Task ${taskId} has as many completion URLs as it may; use one of them, or start new work under a new task_id.`,
  );
}

function doerOf({ name, doneBy }: TaskType, completion: NewCompletion | undefined): DoneBy {
  if (completion === undefined) return doneBy;
  if (doneBy === "worker") return "holder";
  throw new DomainError(
    "invalid",
    `completion_url is for tasks that are done outside, and this server does ${name} itself; leave it out.`,
  );
}

/** Null: none was given, and the type is content with that. */
function inputText(type: TaskType, input: Json = null): string | null {
  const parsed = type.parseInput(input);
  if (parsed === null) return null;
  const text = canonicalJson(parsed);
  const bytes = Buffer.byteLength(text);
  if (bytes <= TASK_INPUT_BYTES_MAX) return text;
  throw new DomainError(
    "limit",
    `input has ${bytes} bytes of JSON, over the limit of ${TASK_INPUT_BYTES_MAX}; pass a reference to the data instead.`,
  );
}

function unknownTaskType(taskType: string, types: readonly TaskType[]): DomainError {
  const names = types.map(({ name }) => name).join(", ");
  return new DomainError("invalid", `task_type ${JSON.stringify(taskType)} is unknown; this server offers: ${names}.`);
}

function anotherStart(task: Task, request: StartRequest): DomainError {
  const differing = [
    task.clientId === request.clientId ? [] : ["client_id"],
    task.taskType === request.taskType ? [] : ["task_type"],
    task.input === request.input ? [] : ["input"],
    hasCompletionUrl(task) === hasCompletionUrl(request) ? [] : ["completion_url"],
  ].flat();
  return new DomainError(
    "conflict",
    `Task ${task.taskId} was already started with another ${differing.join(" and ")}; use a new task_id for new work.`,
  );
}
