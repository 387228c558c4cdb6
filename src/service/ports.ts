/** What the services and the machinery need from outside. Adapters implement these; nothing here knows how. */
import type { Outcome } from "../domain/attempt.ts";
import type { Callback, CallbackStatus, Registration } from "../domain/callback.ts";
import type { Delivery } from "../domain/delivery.ts";
import type { Event, EventType } from "../domain/event.ts";
import type { Json } from "../domain/json.ts";
import type { StartRequest, Task, TaskOutcome } from "../domain/task.ts";
import type { KeepingAnnouncement, KeepingVerbs } from "./keeping.ts";

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects: look at the signal). */
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

/** The task types on offer. */
export interface TaskCatalog {
  find(taskType: string): { readonly expectedMs: number | null } | undefined;
  names(): readonly string[];
}

/**
 * Everything durable. Each verb is one atomic unit of work: when its promise resolves, what it did survives kill -9; when it
 * rejects, nothing of it happened. Every change of a task or delivery is conditional on the state it came from.
 */
export interface Store extends KeepingVerbs {
  /** Adds the callback, or finds the one that is already there. For a task that has ended, its delivery is added with it. */
  registerCallback(command: RegisterCallback): Promise<RegisterCallbackResult>;
  /** Adds the task as pending, or finds the one that has this task_id. */
  startTask(command: StartTask): Promise<StartTaskResult>;
  findTask(principal: string, taskId: string): Promise<Task | null>;
  /** The oldest pending tasks, now running, their `runCount` one higher. */
  claimRunnableTasks(command: { readonly limit: number; readonly now: number }): Promise<readonly Task[]>;
  /** Task row, event and one pending delivery for each active callback that selected the event; null: no longer running. */
  finishTask(command: FinishTask): Promise<FinishTaskResult | null>;

  /** Due pending deliveries, oldest first, now sending, within `limit` in all and `perOrigin` less what `inFlight` says. */
  claimDueDeliveries(command: ClaimDeliveries): Promise<readonly ClaimedDelivery[]>;
  /** Before another try of a claim that was kept over a short wait: false when it was withdrawn meanwhile. */
  resumeClaim(claim: DeliveryClaim): Promise<boolean>;
  /** Adds the attempt and, only if the claim still holds, takes the step; an attempt that was made is never left out. */
  recordAttempt(command: RecordAttempt): Promise<RecordAttemptResult>;
  /** Gives a claim back, due at `nextAttemptAt`, without an attempt: for failures of our own. */
  releaseClaim(claim: DeliveryClaim, nextAttemptAt: number): Promise<void>;
  /** When the earliest pending delivery after `now` is due (epoch ms), or null. Those due already are not meant. */
  nextDueAt(now: number): Promise<number | null>;

  /** At start: what a dead process left running or sending goes back to pending, on its schedule. */
  reclaim(now: number): Promise<{ readonly tasks: number; readonly deliveries: number }>;

  /** All callbacks of a task id with their deliveries and attempts, oldest first. */
  deliveryHistory(principal: string, taskId: string): Promise<readonly CallbackHistory[]>;
  counts(): Promise<Counts>;

  /** Keeps what the test receiver got, the last 100 for each client_id. */
  recordReceived(received: Received & { readonly clientId: string }): Promise<void>;
  /** Newest first. */
  listReceived(clientId: string): Promise<readonly Received[]>;

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
  | { readonly kind: "conflict"; readonly difference: "events" | "secret" }
  | { readonly kind: "limit" };

export interface StartTask {
  readonly principal: string;
  readonly taskId: string;
  readonly request: StartRequest;
  readonly now: number;
}
export interface StartTaskResult {
  readonly kind: "started" | "existing";
  readonly task: Task;
  readonly callbackCount: number;
}

export interface FinishTask {
  /** The internal id. */
  readonly id: string;
  readonly outcome: TaskOutcome;
  readonly now: number;
}
export interface FinishTaskResult {
  readonly event: Event;
  readonly deliveryCount: number;
}

export interface ClaimDeliveries {
  readonly now: number;
  readonly limit: number;
  readonly perOrigin: number;
  /** Requests under way for each origin that has any. */
  readonly inFlight: ReadonlyMap<string, number>;
}
export interface DeliveryClaim {
  readonly deliveryId: string;
  /** Which claim of this delivery it is: a later claim makes an earlier one void. */
  readonly claim: number;
}
export interface ClaimedDelivery extends DeliveryClaim {
  readonly attemptCount: number;
  readonly origin: string;
  readonly event: Event;
  readonly callback: {
    readonly id: string;
    readonly clientId: string;
    readonly url: string;
    /** Newest first. */
    readonly signingSecrets: readonly string[];
  };
}

export interface RecordAttempt extends DeliveryClaim {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: Outcome;
  readonly step: RecordedStep;
}
/** `keepClaim`: the wait is short, so that the claim is held over it (and found by `reclaim` if we die). */
export type RecordedStep =
  | { readonly status: "delivered" }
  | { readonly status: "pending"; readonly nextAttemptAt: number; readonly keepClaim: boolean }
  | { readonly status: "exhausted"; readonly disablesCallback: boolean };
export interface RecordAttemptResult {
  /** False: the delivery was withdrawn or claimed again meanwhile; only the attempt was added. */
  readonly claimHeld: boolean;
  /** Whether this step left no delivery of the event open. */
  readonly eventSettled: boolean;
}

export interface CallbackHistory {
  readonly callback: {
    readonly id: string;
    readonly clientId: string;
    readonly url: string;
    readonly status: CallbackStatus;
    readonly registeredAt: number;
  };
  readonly deliveries: readonly Delivery[];
}

export interface Counts {
  readonly completedTasks: number;
  /** Pending or running. */
  readonly activeTasks: number;
  /** Active callbacks still owed a POST: the task has not ended, or a delivery is open. */
  readonly pendingCallbacks: number;
}

export interface Received {
  readonly taskId: string | null;
  readonly receivedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}

/** What happened, told once in one wide event; whoever listens logs and counts. Never a secret, a payload or a URL's query. */
export type Announce = (announcement: Announcement) => void;

export type Announcement =
  | KeepingAnnouncement
  | { readonly kind: "task.started"; readonly taskId: string; readonly taskType: string; readonly clientId: string }
  | { readonly kind: "task.running"; readonly taskId: string; readonly taskType: string; readonly runCount: number }
  | {
      readonly kind: "task.finished";
      readonly taskId: string;
      readonly status: TaskOutcome["status"];
      readonly eventId: string;
      readonly deliveryCount: number;
    }
  | {
      readonly kind: "callback.registered";
      readonly callbackId: string;
      readonly taskId: string;
      readonly clientId: string;
    }
  | ({ readonly kind: "delivery.sending"; readonly attempt: number } & DeliveryIdentity)
  | ({
      readonly kind: "delivery.attempted";
      readonly attempt: number;
      readonly durationMs: number;
      readonly outcome: Pick<Outcome, "statusCode" | "error">;
      readonly next: "delivered" | "retry" | "gave_up" | "withdrawn";
      /** For `retry`. */
      readonly waitMs: number | null;
    } & DeliveryIdentity)
  | { readonly kind: "event.settled"; readonly eventId: string; readonly taskId: string }
  | {
      readonly kind: "inbox.received";
      readonly clientId: string;
      readonly type: string;
      readonly taskId: string | null;
    }
  | { readonly kind: "work.reclaimed"; readonly tasks: number; readonly deliveries: number }
  | {
      readonly kind: "http.request";
      readonly remoteAddress: string;
      readonly method: string;
      readonly path: string;
      readonly status: number;
      readonly durationMs: number;
    }
  | { readonly kind: "internal.failed"; readonly where: string; readonly error: unknown };

export interface DeliveryIdentity {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly taskId: string;
  readonly clientId: string;
  /** Without its query, which may hold a token. */
  readonly url: string;
}
