import type { CompletionGrant } from "../domain/lease.ts";
import { DomainError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import { hasEnded } from "../domain/task.ts";
import type { Progress, Task, TaskOutcome, TaskReading } from "../domain/task.ts";
import type { Clock } from "./ports/clock.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";
import type { ListTasks, StartTask, StartTaskResult, TaskPage, TaskStore } from "./ports/task-store.ts";
import { CallbackRefused, refusedRegistration } from "./registration.ts";
import type { RegisterRequest } from "./registration.ts";
import { createTaskEnd } from "./task-end.ts";
import type { TaskEndNeeds } from "./task-end.ts";
import {
  anotherStart,
  executorOf,
  inputText,
  startTime,
  noMoreCompletions,
  ofCallback,
  prepareCallbacks,
  unknownTaskType,
} from "./task-start.ts";
import type { TaskCatalog, TaskType } from "./ports/task-types.ts";
import type { TaskProgress } from "./task-progress.ts";
import { createTaskWaits } from "./task-waits.ts";
import type { NewCompletion } from "./ports/lease-store.ts";

export const DEFAULT_TASK_TYPE = "demo";
/** The `error` of a cancelled task. */
const CANCELLED_BY_REQUEST = "The task was cancelled on request.";

export interface TasksNeeds extends TaskEndNeeds {
  readonly store: TaskStore;
  readonly clock: Pick<Clock, "now">;
  readonly catalog: TaskCatalog;
  readonly targetPolicy: TargetPolicy;
  readonly progress: Pick<TaskProgress, "record" | "listen">;
}

export interface TaskStart {
  /** Of the client's choice; without one the task has its internal id for one too. */
  readonly taskId?: string | undefined;
  readonly clientId: string;
  readonly taskType?: string | undefined;
  readonly input?: Json | undefined;
  /** Not before this time (epoch ms). */
  readonly startAfter?: number | undefined;
  /** Registered with it, in the same transaction; needs a task id of the client's choice. */
  readonly callbacks?: readonly Omit<RegisterRequest, "taskId">[] | undefined;
  /** Whoever holds its completion URL does it, and no worker. */
  readonly completion?: NewCompletion | undefined;
  /** Its client asks for an MCP task, and will find it in the list of those. */
  readonly isMcpTask?: boolean | undefined;
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
  const { store, clock, catalog, targetPolicy, emit, feed, progress } = needs;
  const waits = createTaskWaits(feed);
  const end = createTaskEnd(needs);

  /** The task as it is now; `not_found` when it was never started, callbacks registered or not, or has been removed. */
  async function find(principal: string, taskId: string): Promise<Task> {
    return (await store.findTask(principal, taskId)) ?? refuseUnknown(taskId);
  }

  async function cancelFound(task: Task): Promise<CancelledTask> {
    const command = { id: task.id, error: CANCELLED_BY_REQUEST, now: clock.now() };
    const cancelled = await end(task, (reserveSlot) => store.cancelTask({ ...command, reserveSlot }));
    if (cancelled === null) return { kind: "ended", status: await endOf(task), deliveryCount: 0 };
    return { kind: "cancelled", status: "cancelled", deliveryCount: cancelled.deliveryCount };
  }

  async function endOf({ principal, taskId }: Task): Promise<TaskOutcome["status"]> {
    const task = await find(principal, taskId);
    if (hasEnded(task)) return task.status;
    throw new Error(`Task ${taskId} is ${task.status} and was not cancelled`);
  }

  async function storeStart(command: StartTask): Promise<StartTaskResult> {
    try {
      return await store.startTask(command);
    } catch (error) {
      if (!(error instanceof CallbackRefused)) throw error;
      throw ofCallback(error.index, refusedRegistration(error.why, command.taskId ?? ""));
    }
  }

  return {
    /**
     * Stores the task, with the callbacks that come with it, before it answers. The same start again finds the task that runs and the same
     * callbacks; a different one is a `conflict`.
     */
    async start(principal: string, start: TaskStart): Promise<StartedTask> {
      const { taskId = null, clientId, taskType = DEFAULT_TASK_TYPE, completion, isMcpTask = false } = start;
      const type = await catalog.find(taskType);
      if (type === undefined) throw unknownTaskType(taskType, await catalog.list());
      const executor = executorOf(type, completion);
      const now = clock.now();
      const startAfter = startTime(start.startAfter, now);
      const request = { clientId, taskType, executor, input: inputText(type, start.input), startAfter };
      const callbacks = await prepareCallbacks(start.callbacks ?? [], taskId ?? "", targetPolicy, now);
      const command = { principal, taskId, request, callbacks, now, isMcpTask, ...(completion && { completion }) };
      const result = await storeStart(command);
      if (!result.isSame) throw anotherStart(result.task, request);
      const { kind, task } = result;
      if (completion !== undefined && !result.hasCompletion && !hasEnded(task)) throw noMoreCompletions(task);
      if (kind === "started") emit({ kind: "task.started", taskId: task.taskId, taskType, clientId });
      return { ...result, expectedMs: type.expectedMs };
    },

    find,

    /** How the task is; `not_found` as for `find`. */
    async read(principal: string, taskId: string): Promise<TaskReading> {
      return (await store.readTask(principal, taskId)) ?? refuseUnknown(taskId);
    },

    /** The kinds of work on offer. */
    types: (): Promise<readonly TaskType[]> => catalog.list(),

    /** The end of a task that has run: row, event and deliveries commit together, and what there is room for is sent at once. False: it had ended, or the grant did not hold. */
    async finish(task: Task, outcome: TaskOutcome, grant?: CompletionGrant): Promise<boolean> {
      const command = { id: task.id, outcome, now: clock.now(), ...(grant && { grant }) };
      return (await end(task, (reserveSlot) => store.finishTask({ ...command, reserveSlot }))) !== null;
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

    /** The principal's tasks that match, the newest first. */
    list: (query: ListTasks): Promise<TaskPage> => store.listTasks(query),

    /**
     * After a run that failed: the task waits in the store for its next one, whatever becomes of this process. Nothing happens when it was
     * cancelled meanwhile.
     */
    async retry({ id, taskId, taskType, runCount }: Task, error: string, waitMs: number): Promise<void> {
      const isWaiting = await store.retryTask({ id, runCount, error, dueAt: clock.now() + waitMs });
      if (isWaiting) emit({ kind: "task.retrying", taskId, taskType, runCount, error, waitMs });
    },

    /** A run that our own stop has interrupted: the task waits in the store for the next start. */
    async giveBack({ id, runCount }: Task): Promise<void> {
      await store.releaseTask({ id, runCount });
    },

    /** How far the run is, for those who ask, those who wait and the callbacks that chose to hear of it. */
    progress: (run: Task, made: Progress): Promise<void> => progress.record(run, made),

    /** Calls `listener` at each progress of the task (its internal id); returns what ends the listening. */
    onProgress: progress.listen,

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

function refuseUnknown(taskId: string): never {
  throw new DomainError(
    "not_found",
    `Task ${taskId} is unknown: never started, or ended long ago and removed. Start it with start_task_with_callbacks, or check the task_id.`,
  );
}
