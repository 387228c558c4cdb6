/** What the services and the machinery need from outside. Adapters implement these; nothing here knows how. */
import type { CallbackRecord } from "../../domain/callback-health.ts";
import type { Callback, CallbackStatus, Registration, RegistrationDifference } from "../../domain/callback.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { EndEvent, EndType } from "../../domain/event.ts";
import type { CompletionGrant } from "../../domain/lease.ts";
import type { Progress, StartRequest, Task, TaskOutcome, TaskReading, TaskStatus } from "../../domain/task.ts";
import type { DeliveryFilter, CallbackVerbs, HistoryPage } from "./callback-store.ts";
import type { DeliveryVerbs, SlotReservation } from "./delivery-store.ts";
import type { InboxVerbs } from "./inbox-store.ts";
import type { MaintenanceVerbs } from "./maintenance-store.ts";
import type { SubscriptionVerbs } from "./subscription-store.ts";
import type { NewCompletion, WorkerVerbs } from "./lease-store.ts";

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves after `ms` (24 days at most: setTimeout would fire at once for more than 24.8), or at once when `signal` aborts (it never rejects: look at the signal). */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Work that starts because something happened or because its time has come; never because of an interval. */
export interface WorkSource {
  /** Runs `pass` now, on each `wake`, and when the time comes that the last pass returned (epoch ms, in the future; null: none). */
  start(pass: () => Promise<number | null>): void;
  wake(): void;
  /** Resolves when the pass under way is over; none follows. May be called twice. */
  stop(): Promise<void>;
}

/** Whether deliveries may go to a URL's host, judged at registration and again at each connection. */
export interface TargetPolicy {
  check(url: URL): Promise<TargetVerdict>;
}
/** `reason`: half a sentence after "callback_url …", e.g. "points at 10.0.0.1, which is not a public address". */
export type TargetVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/**
 * Everything durable. Each verb is one atomic unit of work: when its promise resolves, what it did survives kill -9; when it
 * rejects, nothing of it happened. Every change of a task or delivery is conditional on the state it came from.
 */
export interface Store
  extends CallbackVerbs, DeliveryVerbs, InboxVerbs, MaintenanceVerbs, SubscriptionVerbs, WorkerVerbs {
  /** Adds the callback (a removed one: anew) or finds the one that is there. For a task that has ended, its delivery is due with it. */
  registerCallback(command: RegisterCallback): Promise<RegisterCallbackResult>;
  /**
   * Adds the task as pending, or finds the one that has this task_id; with it, unless that is another start, its callbacks, each as
   * `registerCallback` does. All of it or nothing: rejects with a
   * `CallbackRefused` when one of them cannot be registered.
   */
  startTask(command: StartTask): Promise<StartTaskResult>;
  findTask(principal: string, taskId: string): Promise<Task | null>;
  /** What is told of it to those who ask, all the time. */
  readTask(principal: string, taskId: string): Promise<TaskReading | null>;
  /** By its internal id; null also when it is another principal's. */
  findTaskById(principal: string, id: string): Promise<Task | null>;
  /** The principal's tasks that match, the newest first; a page looks at a bounded number of them. */
  listTasks(query: ListTasks): Promise<TaskPage>;
  /**
   * Pending tasks of handlers that are due, now running, their `runCount` one higher: those that are due longest first, within `limit` in
   * all and the room of each type. A type without room keeps no other waiting, however much of it is due. Of suspects (POISON_CRASHES) one
   * at most, while all others wait.
   */
  claimRunnableTasks(command: ClaimTasks): Promise<readonly Task[]>;
  /** When the earliest pending task of a handler after `now` is due (epoch ms), or null. What is due already is not meant. */
  nextTaskDueAt(now: number): Promise<number | null>;
  /** After a run that failed: pending again, due at `dueAt`, one failure more. False: that run is not under way any more. */
  retryTask(command: RetryTask): Promise<boolean>;
  /** After a run that our own stop has interrupted: pending again, and no crash. False: that run is not under way any more. */
  releaseTask(run: TaskRun): Promise<boolean>;
  /** Stores the progress of a run, then does as `emitProgressEvent`. Null: the run is not under way any more. */
  recordProgress(command: RecordProgress): Promise<ProgressEventResult | null>;
  /**
   * Makes an event of the run's progress, with one pending delivery for each active callback that selects progress. No event without such a
   * callback, when the last event says the same, or when that one is younger than `intervalMs`. Open deliveries of older progress are
   * cancelled, and only the newest events are kept. Null: the run is not under way any more.
   */
  emitProgressEvent(command: EmitProgressEvent): Promise<ProgressEventResult | null>;
  /**
   * Task row, event and one pending delivery for each active callback that selected the event, a held one for each that is disabled
   * for failing; what is open of the task's progress is cancelled. Null: no longer running, or the grant does not hold.
   */
  finishTask(command: FinishTask): Promise<FinishTaskResult | null>;
  /** The same for a task that is pending or running, by its internal id: it ends as cancelled. Null: it had ended before. */
  cancelTask(command: CancelTask): Promise<FinishTaskResult | null>;

  /** At start: what a dead process left running or sending goes back to pending, on its schedule, the tasks with a crash more. What is done outside goes on. */
  recoverOrphans(now: number): Promise<{ readonly tasks: number; readonly deliveries: number }>;

  /** The callbacks of a task id with their deliveries and the newest 20 attempts of each, oldest first; without `page` the first 1,000. */
  deliveryHistory(principal: string, taskId: string, page?: HistoryPage): Promise<readonly CallbackHistory[]>;
  /** How many callbacks `deliveryHistory` has for a task id on all of its pages. */
  callbackCount(principal: string, taskId: string, filter: DeliveryFilter): Promise<number>;
  counts(): Promise<Counts>;

  close(): Promise<void>;
}

export interface RegisterCallback {
  readonly principal: string;
  readonly registration: Registration;
  /** Kept when the registration brings no secret of its own and the callback is new. */
  readonly generatedSecret: string;
  readonly now: number;
}
export type RegisterCallbackResult =
  | {
      readonly kind: "registered" | "existing";
      readonly callback: Callback;
      /** Callbacks of the task that were not removed, this one included. */
      readonly callbackCount: number;
      /** How the task has ended, if it has. */
      readonly ended: EndType | null;
    }
  | CallbackRefusal;
export type CallbackRefusal =
  | { readonly kind: "conflict"; readonly difference: RegistrationDifference }
  | { readonly kind: "limit" };

export interface StartTask {
  readonly principal: string;
  /** Null: a new task, whose internal id is its task id too. */
  readonly taskId: string | null;
  readonly request: StartRequest;
  readonly callbacks?: readonly StartCallback[];
  /** For a task that whoever holds its completion URL does. */
  readonly completion?: NewCompletion;
  /** Its client asks for an MCP task. A task that is there already becomes one with this start. */
  readonly isMcpTask?: boolean;
  readonly now: number;
}
/** A callback that comes with the start of its task. */
export type StartCallback = Pick<RegisterCallback, "registration" | "generatedSecret">;

export interface StartTaskResult {
  readonly kind: "started" | "existing";
  /** Of an existing task: whether what it was started with is what is asked for now. If not, nothing was changed. */
  readonly isSame: boolean;
  readonly task: Task;
  /** Those that came with the start, in its order. */
  readonly callbacks: readonly Callback[];
  readonly callbackCount: number;
  /** Whether `completion` was added: not to a task that has ended, nor when it has as many as it may. */
  readonly hasCompletion: boolean;
}

export interface ClaimTasks {
  readonly limit: number;
  readonly now: number;
  /** How many of a type there is room for (0: none); null: as many as there are. */
  readonly roomOf?: (taskType: string) => number | null;
  /** False: a suspect is running already. Left out: at most one may be among those claimed. */
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
  /** Between two events of one task. */
  readonly intervalMs: number;
}
export interface RecordProgress extends EmitProgressEvent {
  readonly progress: Progress;
}
export interface ProgressEventResult {
  readonly deliveryCount: number;
  /** When the next event may be made, of progress that no event has yet (epoch ms); null: there is no such progress. */
  readonly dueAt: number | null;
}

export interface TaskFilter {
  readonly status?: TaskStatus | undefined;
  readonly taskType?: string | undefined;
  readonly clientId?: string | undefined;
}
/** `onlyMcpTasks`: those that a start has asked for as MCP tasks. */
export interface ListTasks extends TaskFilter {
  readonly principal: string;
  /** Only those older than the one with this internal id; null: from the newest. */
  readonly before: string | null;
  readonly limit: number;
  readonly onlyMcpTasks?: boolean;
}
/** What is large is left out. */
export type TaskSummary = Omit<Task, "input" | "result">;
export interface TaskPage {
  readonly tasks: readonly TaskSummary[];
  /** The internal id to go on before, also when this page found less than its limit; null: that was all. */
  readonly next: string | null;
}

export interface FinishTask {
  /** The internal id. */
  readonly id: string;
  readonly outcome: TaskOutcome;
  readonly now: number;
  /** Left out: that of the runner, which has claimed it. */
  readonly grant?: CompletionGrant;
  /** Left out: all that is owed waits in line. */
  readonly reservation?: SlotReservation;
}
export interface CancelTask {
  /** The internal id. */
  readonly id: string;
  readonly error: string;
  readonly now: number;
  /** Left out: all that is owed waits in line. */
  readonly reservation?: SlotReservation;
}
export interface FinishTaskResult {
  readonly event: EndEvent;
  readonly deliveryCount: number;
}

export interface CallbackHistory {
  readonly callback: {
    readonly id: string;
    readonly clientId: string;
    readonly url: string;
    readonly status: CallbackStatus;
    readonly registeredAt: number;
    readonly notAfter: number | null;
    readonly health: CallbackRecord;
  };
  readonly deliveries: readonly Delivery[];
}

export interface Counts {
  readonly completedTasks: number;
  /** Pending or running. */
  readonly activeTasks: number;
  /** Active callbacks still owed a POST: the task has not ended, or a delivery is open. */
  readonly pendingCallbacks: number;
  readonly disabledCallbacks: number;
}
