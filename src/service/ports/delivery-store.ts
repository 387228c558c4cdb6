import type { Outcome } from "../../domain/attempt.ts";
import type { BodyFormat } from "../../domain/payload.ts";
import type { CallbackRecord, DisabledReason, DisablePolicy } from "../../domain/callback-health.ts";
import type { CallbackStatus } from "../../domain/callback.ts";
import type { StoredStep } from "../../domain/delivery-state.ts";
import type { Delivery, DeliveryReason, DeliveryStatus } from "../../domain/delivery.ts";
import type { Claimant } from "../../domain/fair-share.ts";
import type { LimitKey } from "../../domain/limit-key.ts";
import type { RedeliveryRefusal } from "../../domain/redelivery.ts";
import type { Event, EventName, EventType } from "../../domain/event.ts";

/**
 * The outbox. Each verb is one atomic unit of work: when its promise resolves, its changes survive kill -9 (a claim may be lost in a power
 * cut, and is then pending as before); when it rejects, nothing has changed. A delivery changes its state only from the state that a verb
 * names. Times are epoch ms.
 */
export interface DeliveryStore {
  /**
   * Claims due pending deliveries, which are sending then, within `limit` in all: turns go by principal (`divide` of domain/fair-share.ts),
   * then by origin, then by age. No principal and no origin without a slot holds up another, however many of its deliveries are due.
   */
  claimDueDeliveries(command: ClaimDeliveries): Promise<readonly ClaimedDelivery[]>;
  /** Before an attempt that follows a wait under its claim: between two tries, or for a look-up. False: the claim is void. */
  continueClaim(claim: DeliveryClaim): Promise<boolean>;
  /**
   * Adds the attempt, always. Only if the claim is current, it also takes the step and updates the health of the callback. A callback that has
   * failed for longer than the policy allows is disabled, and its open deliveries are held: pending, without a time. A delivery that is being
   * sent meanwhile is held when its attempt fails or its claim is released or recovered.
   */
  recordAttempt(command: RecordAttempt): Promise<RecordAttemptResult>;
  /** Releases a claim without an attempt: pending again, due at `dueAt`; held or cancelled by the rule `released`. A void claim is left as it is. */
  releaseClaim(claim: DeliveryClaim, dueAt: number): Promise<void>;
  /**
   * Ends pending deliveries whose time is over, without another attempt: as exhausted (`not_after`); those to a subscription as cancelled
   * (`expired`). Fewer than `limit`: there are no more.
   */
  expireDeliveries(command: { readonly now: number; readonly limit: number }): Promise<readonly ExpiredDelivery[]>;
  nextDeliveryTimes(now: number): Promise<NextDeliveryTimes>;
  /**
   * Opens one delivery again, or up to `limit` matching ones, with a new schedule: due now, or right after the attempt that is being made.
   * Deliveries of progress are left out.
   */
  redeliver(command: Redeliver): Promise<RedeliverResult>;
  /** The callbacks of a task id with their deliveries and the newest 20 attempts of each, the oldest first. Without `page`: the first 1,000. */
  deliveryHistory(principal: string, taskId: string, page?: HistoryPage): Promise<readonly CallbackHistory[]>;
  /** How many callbacks `deliveryHistory` has for a task id on all of its pages. */
  callbackCount(principal: string, taskId: string, filter: DeliveryFilter): Promise<number>;
}

export interface NextDeliveryTimes {
  /** Whether a pending delivery is due already, or has expired. */
  readonly anyDue: boolean;
  /** When the next pending delivery is due or expires, after `now`; null: none. */
  readonly nextAt: number | null;
}

/**
 * Takes a slot for one delivery with this key. False: none is free. For a store that claims deliveries in the transaction that ends their
 * task. Never throws. A store calls it in the first run of a transaction only: slots of a run that is rolled back stay taken until the
 * reservation is released.
 */
export type ReserveSlot = (key: LimitKey) => boolean;

/**
 * Slots for the deliveries of one task's end: what the store claims with them is sent without a claim of its own. The service opens one
 * for each end and always releases it. None of its methods throws.
 */
export interface SlotReservation {
  readonly reserve: ReserveSlot;
  /** Sends the deliveries that the store claimed with reserved slots. To be called after the store has answered: their claims are durable then. */
  committed(claimed: readonly ClaimedDelivery[]): void;
  /** Frees the slots that no delivery uses. */
  release(): void;
}

export interface ClaimDeliveries {
  readonly now: number;
  readonly limit: number;
  /** The slots of a principal at an origin that are not in `freeSlotsByKey`. */
  readonly perOrigin: number;
  /** The free slots of these keys (0: none). */
  readonly freeSlotsByKey: ReadonlyMap<LimitKey, number>;
  /** The free slots of these origins, for all principals together. */
  readonly freeSlotsByOrigin: ReadonlyMap<string, number>;
  /** By principal, the least recently served first. A principal that is not in it holds nothing, was not served, and may take all. */
  readonly claimants: ReadonlyMap<string, Claimant>;
}
export interface DeliveryClaim {
  readonly deliveryId: string;
  /** The number of the claim: a later claim of the same delivery makes it void. */
  readonly claim: number;
}
export interface ClaimedDelivery extends DeliveryClaim, BodyFormat {
  readonly attemptCount: number;
  /** From when on no attempt is begun; null: there is no limit. */
  readonly notAfter: number | null;
  /** Attempts before the delivery was last opened again: the retry schedule does not count them. */
  readonly attemptsBefore: number;
  readonly principal: string;
  readonly origin: string;
  readonly event: Event;
  readonly callback: {
    readonly id: string;
    readonly clientId: string;
    readonly url: string;
    /** The event's name and the id of a subscription; null: it is a registered callback. */
    readonly eventName: EventName | null;
    readonly subscriptionId: string | null;
    /** Newest first. */
    readonly signingSecrets: readonly string[];
  };
  /** The cursor in the body for a subscription; null: the body has none. */
  readonly cursor: string | null;
}

export interface RecordAttempt extends DeliveryClaim {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: Outcome;
  readonly step: StoredStep;
  /** Null: a callback is not disabled for failing. */
  readonly disablePolicy: DisablePolicy | null;
}
export interface RecordAttemptResult {
  /** False: the delivery was cancelled, superseded by newer progress or claimed again meanwhile; only the attempt was added. */
  readonly claimWasCurrent: boolean;
  /** Whether no delivery of the event is open any more. */
  readonly eventSettled: boolean;
  /** The delivery is held until its callback is enabled, in place of the step. */
  readonly isHeld?: true;
  /** Redelivery was requested during the attempt: the delivery is pending again. */
  readonly isDueAgain?: true;
  readonly callbackChange?: CallbackChange;
}

export interface ExpiredDelivery {
  readonly principal: string;
  readonly deliveryId: string;
  readonly callbackId: string;
  readonly eventId: string;
  readonly event: EventType;
  /** The client's task id. */
  readonly taskId: string;
  readonly clientId: string;
  readonly url: string;
  readonly attemptCount: number;
  readonly reason: DeliveryReason;
  /** Whether no delivery of the event is open any more. */
  readonly eventSettled: boolean;
}

/** A change of the callback's status by the end of an attempt. */
export type CallbackChange =
  | {
      readonly status: "disabled";
      readonly reason: DisabledReason;
      readonly failingSince: number;
      /** Deliveries that are held from now on. */
      readonly heldCount: number;
    }
  /** An attempt that was running when the callback was disabled has succeeded. */
  | { readonly status: "active"; readonly resumedCount: number };

/** `statuses`: as clients see them; null: any. `since`: deliveries created at this time or later; null: any. */
export interface DeliveryFilter {
  readonly statuses: readonly DeliveryStatus[] | null;
  readonly since: number | null;
}

/** A page of the callbacks of a task, the oldest first. With a filter: those that have matching deliveries, and only these deliveries. */
export interface HistoryPage extends DeliveryFilter {
  /** The last callback of the page before; null: from the start. */
  readonly after: { readonly registeredAt: number; readonly id: string } | null;
  readonly limit: number;
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

/** The last delivery of a step of redelivery. */
export interface RedeliverPosition {
  readonly callbackId: string;
  readonly eventId: string;
}
export type RedeliverSelection =
  | { readonly deliveryId: string }
  | (({ readonly taskId: string } | { readonly callbackId: string }) &
      DeliveryFilter & { readonly after: RedeliverPosition | null; readonly limit: number });

export interface Redeliver {
  readonly principal: string;
  readonly selection: RedeliverSelection;
  readonly now: number;
}
export type RedeliverResult =
  | {
      readonly kind: "redelivered";
      readonly deliveryIds: readonly string[];
      /** Matching deliveries that were left out, because their callback is not active or its not_after is past. */
      readonly passedOver: number;
      /** Where the next step goes on; null: there is nothing more. */
      readonly next: RedeliverPosition | null;
    }
  | { readonly kind: "not_found" }
  /** The one callback of the selection gets no deliveries. */
  | { readonly kind: "refused"; readonly callbackId: string; readonly why: RedeliveryRefusal };
