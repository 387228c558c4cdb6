/** What the services and the machinery need from outside. Adapters implement these; nothing here knows how. */
import type { Outcome } from "../domain/attempt.ts";
import type { BodyFormat } from "../domain/body.ts";
import type { CallbackHealth, DisablePolicy } from "../domain/callback-health.ts";
import type { Callback, CallbackStatus, Registration, RegistrationDifference } from "../domain/callback.ts";
import type { Delivery, DeliveryReason } from "../domain/delivery.ts";
import type { Event, EventName, EventType } from "../domain/event.ts";
import type { StartRequest, Task, TaskOutcome } from "../domain/task.ts";
import type { CallbackChange, CallbackVerbs, HistoryPage } from "./callback-ports.ts";
import type { InboxVerbs } from "./inbox-ports.ts";
import type { KeepingVerbs } from "./keeping.ts";
import type { SubscriptionVerbs } from "./subscription-ports.ts";
import type { EndRight, NewCompletion, WorkerVerbs } from "./worker-ports.ts";

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
export interface Store extends CallbackVerbs, InboxVerbs, KeepingVerbs, SubscriptionVerbs, WorkerVerbs {
  /** Adds the callback (a removed one: anew) or finds the one that is there. For a task that has ended, its delivery is due with it. */
  registerCallback(command: RegisterCallback): Promise<RegisterCallbackResult>;
  /** Adds the task as pending, or finds the one that has this task_id. */
  startTask(command: StartTask): Promise<StartTaskResult>;
  findTask(principal: string, taskId: string): Promise<Task | null>;
  /** By its internal id; null also when it is another principal's. */
  findTaskById(principal: string, id: string): Promise<Task | null>;
  /** The principal's tasks, the newest first, at most `limit`; `before`: only those older than the one with this internal id. */
  listTasks(query: ListTasks): Promise<readonly TaskSummary[]>;
  /** The oldest pending tasks of handlers, now running, their `runCount` one higher. */
  claimRunnableTasks(command: { readonly limit: number; readonly now: number }): Promise<readonly Task[]>;
  /**
   * Task row, event and one pending delivery for each active callback that selected the event, a held one for each that is disabled
   * for failing; null: no longer running, or the right does not hold.
   */
  finishTask(command: FinishTask): Promise<FinishTaskResult | null>;
  /** The same for a task that is pending or running, by its internal id: it ends as cancelled. Null: it had ended before. */
  cancelTask(command: CancelTask): Promise<FinishTaskResult | null>;

  /**
   * Due pending deliveries, now sending: the oldest first, within `limit` in all and the room of each origin. An origin without room
   * never keeps others waiting, however much of it is due.
   */
  claimDueDeliveries(command: ClaimDeliveries): Promise<readonly ClaimedDelivery[]>;
  /** Before another try of a claim that was kept over a short wait: false when it was withdrawn meanwhile. */
  resumeClaim(claim: DeliveryClaim): Promise<boolean>;
  /**
   * Adds the attempt and, only if the claim still holds, takes the step and notes how the callback is doing; an attempt that was made is
   * never left out. A callback that fails for longer than the policy bears is disabled, and what it is owed is held: pending, due at no
   * time. Whatever of it is under way and fails, is released or is reclaimed, is held too.
   */
  recordAttempt(command: RecordAttempt): Promise<RecordAttemptResult>;
  /** Gives a claim back, due at `nextAttemptAt`, without an attempt: for failures of our own. */
  releaseClaim(claim: DeliveryClaim, nextAttemptAt: number): Promise<void>;
  /** Pending deliveries whose callback's not_after has come, at most `limit`, now exhausted without another attempt. */
  expireDeliveries(command: { readonly now: number; readonly limit: number }): Promise<readonly ExpiredDelivery[]>;
  /** When the earliest pending delivery after `now` is due or expires (epoch ms), or null. What is due already is not meant. */
  nextDueAt(now: number): Promise<number | null>;

  /** At start: what a dead process left running or sending goes back to pending, on its schedule. What is done outside goes on. */
  reclaim(now: number): Promise<{ readonly tasks: number; readonly deliveries: number }>;

  /** The callbacks of a task id with their deliveries and attempts, oldest first; without `page` the first 1,000. */
  deliveryHistory(principal: string, taskId: string, page?: HistoryPage): Promise<readonly CallbackHistory[]>;
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
      readonly ended: EventType | null;
    }
  | { readonly kind: "conflict"; readonly difference: RegistrationDifference }
  | { readonly kind: "limit" };

export interface StartTask {
  readonly principal: string;
  /** Null: a new task, whose internal id is its task id too. */
  readonly taskId: string | null;
  readonly request: StartRequest;
  /** For a task that whoever holds its completion URL does. */
  readonly completion?: NewCompletion;
  readonly now: number;
}
export interface StartTaskResult {
  readonly kind: "started" | "existing";
  readonly task: Task;
  readonly callbackCount: number;
  /** Whether `completion` was added: not to a task that has ended, nor when it has as many as it may. */
  readonly hasCompletion: boolean;
}

export interface ListTasks {
  readonly principal: string;
  readonly before: string | null;
  readonly limit: number;
}
/** What is large is left out. */
export type TaskSummary = Omit<Task, "input" | "result">;

export interface FinishTask {
  /** The internal id. */
  readonly id: string;
  readonly outcome: TaskOutcome;
  readonly now: number;
  /** Left out: that of the runner, which has claimed it. */
  readonly right?: EndRight;
}
export interface CancelTask {
  /** The internal id. */
  readonly id: string;
  readonly error: string;
  readonly now: number;
}
export interface FinishTaskResult {
  readonly event: Event;
  readonly deliveryCount: number;
}

export interface ClaimDeliveries {
  readonly now: number;
  readonly limit: number;
  /** The most for one origin… */
  readonly perOrigin: number;
  /** …but for these, which have room for this many (0: none). */
  readonly roomOf: ReadonlyMap<string, number>;
}
export interface DeliveryClaim {
  readonly deliveryId: string;
  /** Which claim of this delivery it is: a later claim makes an earlier one void. */
  readonly claim: number;
}
export interface ClaimedDelivery extends DeliveryClaim, BodyFormat {
  readonly attemptCount: number;
  /** Epoch ms from which no attempt is begun; null: none is too late. */
  readonly notAfter: number | null;
  /** Those made before it was last opened again: the retry schedule does not count them. */
  readonly attemptsBefore: number;
  readonly origin: string;
  readonly event: Event;
  readonly callback: {
    readonly id: string;
    readonly clientId: string;
    readonly url: string;
    /** Of a subscription: what was subscribed to, and its id; null for all others. */
    readonly eventName: EventName | null;
    readonly subscriptionId: string | null;
    /** Newest first. */
    readonly signingSecrets: readonly string[];
  };
  /** What its body says of the place it is at; null: nothing. */
  readonly cursor: string | null;
}

export interface RecordAttempt extends DeliveryClaim {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: Outcome;
  readonly step: RecordedStep;
  /** Null: however long its callback fails, it is not disabled for that. */
  readonly disablePolicy: DisablePolicy | null;
}
/** `keepClaim`: the wait is short, so that the claim is held over it (and found by `reclaim` if we die). */
export type RecordedStep =
  | { readonly status: "delivered" }
  | { readonly status: "pending"; readonly nextAttemptAt: number; readonly keepClaim: boolean }
  | { readonly status: "exhausted"; readonly disablesCallback: boolean; readonly reason?: DeliveryReason };
export interface RecordAttemptResult {
  /** False: the delivery was withdrawn or claimed again meanwhile; only the attempt was added. */
  readonly claimHeld: boolean;
  /** Whether this step left no delivery of the event open. */
  readonly eventSettled: boolean;
  /** The delivery waits until its callback is enabled, whatever the step said. */
  readonly isHeld?: true;
  readonly callbackChange?: CallbackChange;
}

export interface ExpiredDelivery {
  readonly deliveryId: string;
  readonly eventId: string;
  /** The client's. */
  readonly taskId: string;
  readonly clientId: string;
  readonly url: string;
  readonly attemptCount: number;
  readonly reason: DeliveryReason;
  /** Whether this one's end left no delivery of the event open. */
  readonly eventSettled: boolean;
}

export interface CallbackHistory {
  readonly callback: {
    readonly id: string;
    readonly clientId: string;
    readonly url: string;
    readonly status: CallbackStatus;
    readonly registeredAt: number;
    readonly notAfter: number | null;
    readonly health: CallbackHealth;
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
