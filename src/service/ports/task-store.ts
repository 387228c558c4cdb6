import type { Callback } from "../../domain/callback.ts";
import type { EndEvent } from "../../domain/event.ts";
import type { CompletionGrant } from "../../domain/lease.ts";
import type { Progress, StartRequest, Task, TaskOutcome, TaskReading, TaskStatus } from "../../domain/task.ts";
import type { PreparedRegistration } from "./callback-store.ts";
import type { ClaimedDelivery, ReserveSlot } from "./delivery-store.ts";
import type { NewCompletion } from "./lease-store.ts";

/**
 * Tasks from their start to their end. Each verb is one atomic unit of work: when its promise resolves, its changes survive kill -9; when it
 * rejects, nothing has changed. A task changes its state only from the state that a verb names. A task of another principal is not found.
 * Times are epoch ms.
 */
export interface TaskStore {
  /**
   * Adds the task as pending, or finds the one with this task_id. Registers its callbacks in the same transaction, each as
   * `registerCallback` does, unless the task that was found was started otherwise. Rejects with a `CallbackRefused`, and changes nothing,
   * when one of the callbacks cannot be registered.
   */
  startTask(command: StartTask): Promise<StartTaskResult>;
  findTask(principal: string, taskId: string): Promise<Task | null>;
  /** The fields that clients poll. */
  readTask(principal: string, taskId: string): Promise<TaskReading | null>;
  /** By the internal id. */
  findTaskById(principal: string, id: string): Promise<Task | null>;
  /** The principal's tasks that match, the newest first. A page reads a bounded number of tasks. */
  listTasks(query: ListTasks): Promise<TaskPage>;
  /**
   * Claims pending tasks of handlers that are due: they are running, their `runCount` one higher. The longest due come first, within `limit`
   * in all and the slots of each type; a type without a slot holds up no other type. Of poison tasks (POISON_CRASHES) one at most is
   * running, and tasks that are not poison come first.
   */
  claimRunnableTasks(command: ClaimTasks): Promise<readonly Task[]>;
  /** When the next pending task of a handler becomes due, after `now`. Null: none. Tasks that are due already do not count. */
  nextTaskDueAt(now: number): Promise<number | null>;
  /** After a failed run: pending again, due at `dueAt`, with one failure more. False: that run is over. */
  retryTask(command: RetryTask): Promise<boolean>;
  /** After a run that the stop of the server has interrupted: pending again, with no crash more. False: that run is over. */
  releaseTask(run: TaskRun): Promise<boolean>;
  /** Stores the run's progress, and makes an event of it as `emitProgressEvent` does. Null: the run is over. */
  recordProgress(command: RecordProgress): Promise<ProgressEventResult | null>;
  /**
   * Makes an event of the stored progress, with one pending delivery for each active callback that selected progress. No event is made
   * when there is no such callback, when the last event has the same progress, or when that event is younger than `intervalMs`. Open deliveries
   * of older progress are cancelled, and only the newest events are kept. Null: the run is over.
   */
  emitProgressEvent(command: EmitProgressEvent): Promise<ProgressEventResult | null>;
  /**
   * Ends a running task: task row, event and one delivery for each callback that selected the event, in one transaction. The delivery is held
   * if the callback is disabled for failing. Open deliveries of the task's progress are cancelled. Null: the task is not running, or the
   * grant does not hold.
   */
  finishTask(command: FinishTask): Promise<FinishTaskResult | null>;
  /** The same for a task that is pending or running: it ends as cancelled. Null: it had ended before. */
  cancelTask(command: CancelTask): Promise<FinishTaskResult | null>;
}

export interface StartTask {
  readonly principal: string;
  /** Null: the internal id is the task id too. */
  readonly taskId: string | null;
  readonly request: StartRequest;
  /** Registered with the start. */
  readonly callbacks?: readonly PreparedRegistration[];
  /** The secret of a completion URL, for a task that is completed by it. */
  readonly completion?: NewCompletion;
  /** The client asks for an MCP task. A task that is found becomes one with this start. */
  readonly isMcpTask?: boolean;
  readonly now: number;
}
export interface StartTaskResult {
  readonly kind: "started" | "existing";
  /** Of a task that was found: whether it was started with the same request. If not, nothing has changed. */
  readonly isSame: boolean;
  readonly task: Task;
  /** The callbacks of the command, in its order. */
  readonly callbacks: readonly Callback[];
  readonly callbackCount: number;
  /** Whether `completion` was added. It is not added to a task that has ended or has as many as it may. */
  readonly hasCompletion: boolean;
}

export interface ClaimTasks {
  readonly limit: number;
  readonly now: number;
  /** The free slots of a type; null: no limit for this type. */
  readonly freeSlotsOf?: (taskType: string) => number | null;
  /** False: a poison task is running already. Left out: at most one may be among those claimed. */
  readonly mayTakePoison?: boolean;
}
/** A run of a task, by the internal id. */
export interface TaskRun {
  readonly id: string;
  readonly runCount: number;
}
export interface RetryTask extends TaskRun {
  readonly error: string;
  readonly dueAt: number;
}
export interface EmitProgressEvent extends TaskRun {
  readonly now: number;
  /** The least time between two progress events of one task. */
  readonly intervalMs: number;
}
export interface RecordProgress extends EmitProgressEvent {
  readonly progress: Progress;
}
export interface ProgressEventResult {
  readonly deliveryCount: number;
  /** When the next event may be made, of progress that no event has yet (epoch ms). Null: the last event has the newest progress, or no callback selected it. */
  readonly dueAt: number | null;
}

export interface TaskFilter {
  readonly status?: TaskStatus | undefined;
  readonly taskType?: string | undefined;
  readonly clientId?: string | undefined;
}
/** `onlyMcpTasks`: those that were started as MCP tasks. */
export interface ListTasks extends TaskFilter {
  readonly principal: string;
  /** Only tasks that are older than the one with this internal id; null: from the newest on. */
  readonly before: string | null;
  readonly limit: number;
  readonly onlyMcpTasks?: boolean;
}
/** A task without its large fields. */
export type TaskSummary = Omit<Task, "input" | "result">;
export interface TaskPage {
  readonly tasks: readonly TaskSummary[];
  /** The internal id before which the next page goes on, also when this page has fewer tasks than its limit; null: this was the last page. */
  readonly next: string | null;
}

export interface FinishTask {
  /** The internal id. */
  readonly id: string;
  /** Whose share of a commit the end uses: it may have many deliveries. */
  readonly principal?: string;
  readonly outcome: TaskOutcome;
  readonly now: number;
  /** Left out: the task runner's, which has claimed the task. */
  readonly grant?: CompletionGrant;
  /** A store may claim a delivery for which this returns true. Without it, and in a store that does not use it, all deliveries are pending and due. */
  readonly reserveSlot?: ReserveSlot;
}
export interface CancelTask {
  /** The internal id. */
  readonly id: string;
  /** Whose share of a commit the end uses: it may have many deliveries. */
  readonly principal?: string;
  readonly error: string;
  readonly now: number;
  /** A store may claim a delivery for which this returns true. Without it, and in a store that does not use it, all deliveries are pending and due. */
  readonly reserveSlot?: ReserveSlot;
}
export interface FinishTaskResult {
  readonly principal: string;
  readonly event: EndEvent;
  readonly deliveryCount: number;
  /** Those of them that are claimed; the others are pending, or held while their callback is disabled. */
  readonly claimed: readonly ClaimedDelivery[];
}
