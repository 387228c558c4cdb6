import type { CompletionGrant } from "../domain/lease.ts";
import { DomainError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import { hasEnded } from "../domain/task.ts";
import type { Task, TaskOutcome, TaskReading } from "../domain/task.ts";
import type { Clock } from "./ports/clock.ts";
import { CallbackRefused } from "./ports/callback-store.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";
import type { ListTasks, StartTask, StartTaskResult, TaskPage, TaskStore } from "./ports/task-store.ts";
import { refusedRegistration } from "./registration.ts";
import type { RegisterRequest } from "./registration.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { TaskEnd } from "./task-end.ts";
import {
  differentStartError,
  executorOf,
  inputText,
  startTime,
  completionLimitError,
  namingCallback,
  prepareCallbacks,
  unknownTaskTypeError,
} from "./start-checks.ts";
import type { TaskCatalog, TaskType } from "./ports/task-types.ts";
import type { TaskWaits } from "./task-waits.ts";
import type { NewCompletion } from "./ports/lease-store.ts";

export const DEFAULT_TASK_TYPE = "demo";
/** The `error` of a cancelled task. */
const CANCELLED_BY_REQUEST = "The task was cancelled on request.";

export interface TasksParts {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly catalog: TaskCatalog;
  readonly targetPolicy: TargetPolicy;
  readonly emit: Emit;
  readonly waits: TaskWaits;
  readonly endTask: TaskEnd;
}

/** Tasks from their start to their end. A task of another principal is `not_found`, or null where an internal id is given. */
export interface Tasks extends TaskWaits {
  /**
   * Stores the task with its callbacks before it resolves. The same start again finds the same task and the same callbacks; a different start
   * with the same task_id is a `conflict`.
   */
  start(principal: string, start: TaskRequest): Promise<StartedTask>;
  /** Throws `not_found` if the task was never started or was removed. Registered callbacks alone make no task. */
  find(principal: string, taskId: string): Promise<Task>;
  /** The fields that clients poll; `not_found` as for `find`. */
  read(principal: string, taskId: string): Promise<TaskReading>;
  /** By the internal id. */
  findById(principal: string, id: string): Promise<Task | null>;
  /** The principal's tasks that match, the newest first. */
  list(query: ListTasks): Promise<TaskPage>;
  /** The task types on offer. */
  types(): Promise<readonly TaskType[]>;
  /** Ends a task that is pending or running: it is not run, or its handler is interrupted. A task that has ended stays as it is. */
  cancel(principal: string, taskId: string): Promise<CancelledTask>;
  /** As `cancel`, by the internal id. */
  cancelById(principal: string, id: string): Promise<CancelledTask | null>;
  /** Ends a running task: row, event and deliveries commit together. False: the task is not running, or the grant does not hold. */
  finish(task: Task, outcome: TaskOutcome, grant?: CompletionGrant): Promise<boolean>;
  /** After a failed run: the task is pending again, due after `waitMs`. Nothing happens when the run is over. */
  retry(task: Task, error: string, waitMs: number): Promise<void>;
  /** After a run that the stop of this server has interrupted: the task is pending again. */
  release(task: Task): Promise<void>;
}

export interface TaskRequest {
  /** Chosen by the client. Left out: the internal id is the task id too. */
  readonly taskId?: string | undefined;
  readonly clientId: string;
  readonly taskType?: string | undefined;
  readonly input?: Json | undefined;
  /** The earliest start (epoch ms). */
  readonly startAfter?: number | undefined;
  /** Registered in the same transaction. They need a `taskId`: without one, `start` throws `invalid`. */
  readonly callbacks?: readonly Omit<RegisterRequest, "taskId">[] | undefined;
  /** The task is completed by this completion URL, and not by a worker. */
  readonly completion?: NewCompletion | undefined;
  /** The client asks for an MCP task: it is in the list of those. */
  readonly isMcpTask?: boolean | undefined;
}

export interface StartedTask extends StartTaskResult {
  readonly expectedMs: number | null;
}

export interface CancelledTask {
  /** ended: it had ended before. */
  readonly kind: "cancelled" | "ended";
  readonly status: TaskOutcome["status"];
  /** The deliveries of the end that this call made. */
  readonly deliveryCount: number;
}

export function createTasks(parts: TasksParts): Tasks {
  const { store, clock, catalog, targetPolicy, emit, waits, endTask } = parts;

  async function find(principal: string, taskId: string): Promise<Task> {
    return (await store.findTask(principal, taskId)) ?? refuseUnknown(taskId);
  }

  async function cancelFound(task: Task): Promise<CancelledTask> {
    const command = { id: task.id, principal: task.principal, error: CANCELLED_BY_REQUEST, now: clock.now() };
    const cancelled = await endTask(task, (reserveSlot) => store.cancelTask({ ...command, reserveSlot }));
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
      throw namingCallback(error.index, refusedRegistration(error.why, error.taskId));
    }
  }

  return {
    async start(principal, start) {
      const { taskId = null, clientId, taskType = DEFAULT_TASK_TYPE, completion, isMcpTask = false } = start;
      const type = await catalog.find(taskType);
      if (type === undefined) throw unknownTaskTypeError(taskType, await catalog.list());
      const executor = executorOf(type, completion);
      const now = clock.now();
      const startAfter = startTime(start.startAfter, now);
      const request = { clientId, taskType, executor, input: inputText(type, start.input), startAfter };
      const callbacks = await prepareCallbacks(start.callbacks ?? [], taskId, targetPolicy, now);
      const command = { principal, taskId, request, callbacks, now, isMcpTask, ...(completion && { completion }) };
      const result = await storeStart(command);
      if (!result.isSame) throw differentStartError(result.task, request);
      const { kind, task } = result;
      if (completion !== undefined && !result.hasCompletion && !hasEnded(task)) throw completionLimitError(task);
      if (kind === "started") emit({ kind: "task.started", principal, taskId: task.taskId, taskType, clientId });
      return { ...result, expectedMs: type.expectedMs };
    },

    find,

    async read(principal, taskId) {
      return (await store.readTask(principal, taskId)) ?? refuseUnknown(taskId);
    },

    findById: (principal, id) => store.findTaskById(principal, id),

    list: (query) => store.listTasks(query),

    types: () => catalog.list(),

    async cancel(principal, taskId) {
      return cancelFound(await find(principal, taskId));
    },

    async cancelById(principal, id) {
      const task = await store.findTaskById(principal, id);
      return task === null ? null : cancelFound(task);
    },

    async finish(task, outcome, grant) {
      const command = { id: task.id, principal: task.principal, outcome, now: clock.now(), ...(grant && { grant }) };
      return (await endTask(task, (reserveSlot) => store.finishTask({ ...command, reserveSlot }))) !== null;
    },

    async retry({ id, principal, taskId, taskType, runCount }, error, waitMs) {
      const isWaiting = await store.retryTask({ id, runCount, error, dueAt: clock.now() + waitMs });
      if (isWaiting) emit({ kind: "task.retrying", principal, taskId, taskType, runCount, error, waitMs });
    },

    async release({ id, runCount }) {
      await store.releaseTask({ id, runCount });
    },

    ...waits,
  };
}

function refuseUnknown(taskId: string): never {
  throw new DomainError(
    "not_found",
    `Task ${taskId} is unknown: never started, or ended long ago and removed. Start it with start_task_with_callbacks, or check the task_id.`,
  );
}
