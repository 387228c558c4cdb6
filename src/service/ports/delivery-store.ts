/** What the outbox at work needs from the store. Part of store.ts. */
import type { Outcome } from "../../domain/attempt.ts";
import type { BodyFormat } from "../../domain/payload.ts";
import type { DisablePolicy } from "../../domain/callback-health.ts";
import type { RecordedStep } from "../../domain/delivery-state.ts";
import type { DeliveryReason } from "../../domain/delivery.ts";
import type { Event, EventName, EventType } from "../../domain/event.ts";
import type { CallbackChange } from "./callback-store.ts";

/** Verbs of the Store; what is promised of all of them is promised of these. */
export interface DeliveryVerbs {
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
  /** Pending deliveries whose callback's not_after has come, now exhausted without another attempt: `limit` of them, or fewer when those are all. */
  expireDeliveries(command: { readonly now: number; readonly limit: number }): Promise<readonly ExpiredDelivery[]>;
  nextDeliveryTimes(now: number): Promise<NextDeliveryTimes>;
}

/** What is in line. */
export interface NextDeliveryTimes {
  /** Whether anything pending is due already, in time or not. */
  readonly anyDue: boolean;
  /** When the earliest pending delivery after now is due or expires (epoch ms), or null. */
  readonly nextAt: number | null;
}

/**
 * Lets the end of a task claim at once what it owes, as far as there is room: that is sent without a claim of its own. One for each end;
 * whoever has opened it closes it. None of its methods may throw.
 */
export interface SlotReservation {
  /** At the start of the transaction, which may be run again: what was taken before is given back. */
  restart(): void;
  /** Takes a place for one delivery to this origin; false: there is none, and it waits in line. */
  reserve(origin: string): boolean;
  /**
   * Called once it is committed, at the answer at the latest: what was claimed, in the order in which places were taken, and how many
   * wait in line (nobody else wakes the dispatcher for them). Nothing may be sent before `close`.
   */
  filled(claimed: readonly ClaimedDelivery[], waitingCount: number): void;
  /** The store has answered: what was claimed is sent, and places that were not used are free again. */
  close(): void;
}

/** Where the deliveries of origins that keep failing wait: one request at a time, a probe, looks whether such an origin is back. */
export interface SlowLane {
  /** Null: this origin is not in it. */
  stayOf(origin: string): SlowStay | null;
  /** What a request that is no delivery came to: whether it brings the origin back. It never speaks against one. */
  leave(origin: string, outcome: Pick<Outcome, "statusCode" | "error">): boolean;
}
/** Epoch ms. */
export interface SlowStay {
  readonly since: number;
  /** From when on the next probe may go; past while that is under way, or when nothing is due. */
  readonly probeAt: number;
}

export interface ClaimDeliveries {
  readonly now: number;
  readonly limit: number;
  /** The most for one origin… */
  readonly perOrigin: number;
  /** …but for these, which have room for this many (0: none). */
  readonly roomOf: ReadonlyMap<string, number>;
  /**
   * Called before an answer that is not empty, as soon as it is certain what that will be unless the power fails: what can be made ready
   * meanwhile is made during the wait for the disk. Nothing may be sent before the answer. Must not throw.
   */
  readonly chosen?: (deliveries: readonly ClaimedDelivery[]) => void;
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
export interface RecordAttemptResult {
  /** False: the delivery was withdrawn, overtaken by newer progress or claimed again meanwhile; only the attempt was added. */
  readonly claimHeld: boolean;
  /** Whether this step left no delivery of the event open. */
  readonly eventSettled: boolean;
  /** The delivery waits until its callback is enabled, whatever the step said. */
  readonly isHeld?: true;
  /** Redelivery was asked for during the attempt, so that the delivery is pending again. */
  readonly isDueAgain?: true;
  readonly callbackChange?: CallbackChange;
}

export interface ExpiredDelivery {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly event: EventType;
  /** The client's. */
  readonly taskId: string;
  readonly clientId: string;
  readonly url: string;
  readonly attemptCount: number;
  readonly reason: DeliveryReason;
  /** Whether this one's end left no delivery of the event open. */
  readonly eventSettled: boolean;
}
