import type { AttemptError } from "../../domain/attempt.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { EventName } from "../../domain/event.ts";
import type { WaitingDelivery } from "../../domain/throttle.ts";
import type { SubscriptionHealth, SubscriptionKey, SubscriptionStatus } from "../../domain/subscription.ts";

/**
 * Subscriptions of MCP Events. A subscription is a callback with the body profile `mcp-events`, and its deliveries are like those of any
 * callback. One that has expired is not found. Each verb is one atomic unit of work: when its promise resolves, its changes survive kill -9;
 * when it rejects, nothing has changed. Times are epoch ms.
 */
export interface SubscriptionStore {
  /** What is to be checked before a request is sent to the URL of a new subscription. */
  lookUpSubscription(look: SubscriptionLook): Promise<SubscriptionFound>;
  /** The URL has echoed a challenge of this principal: it is verified until then. */
  recordVerified(verified: VerifiedUrl): Promise<void>;
  /** Creates the subscription, with the deliveries of the events to replay, or refreshes the one that is there. `limit`: another create took the last place. */
  putSubscription(command: PutSubscription): Promise<PutSubscriptionResult>;
  /** Ends it and cancels its open deliveries. False: not found. */
  removeSubscription(command: RemoveSubscription): Promise<boolean>;
  /** Ends subscriptions of a principal that is not among `principals`, at most `limit`, and returns them. Empty: there are no more. */
  revokeSubscriptions(command: RevokeSubscriptions): Promise<readonly EndedSubscription[]>;
  /** A page of the principal's subscriptions, the oldest first. Those that have ended are included while their history is kept. */
  listSubscriptions(principal: string, page: SubscriptionPage): Promise<readonly ListedSubscription[]>;
}

export interface RemoveSubscription {
  readonly principal: string;
  readonly id: string;
  readonly now: number;
}

export interface SubscriptionLook {
  readonly key: SubscriptionKey;
  readonly id: string;
  readonly now: number;
}
export interface SubscriptionFound {
  readonly exists: boolean;
  /** The URL has echoed a challenge of this principal, and the verification has not expired. */
  readonly isUrlVerified: boolean;
  /** Live subscriptions of the principal, and of all principals (0 for one that exists: it is not counted then). */
  readonly own: number;
  readonly all: number;
}

export interface VerifiedUrl {
  readonly principal: string;
  readonly url: string;
  readonly until: number;
}

export interface PutSubscription extends SubscriptionLook {
  readonly secret: string;
  /** How long a replaced secret signs too. */
  readonly overlapMs: number;
  /** Null: it does not expire. */
  readonly expiresAt: number | null;
  /** The events to deliver first; null: only new ones. A refresh replays nothing. */
  readonly replay: Replay | null;
  readonly perPrincipalMax: number;
}
export interface Replay {
  readonly afterSeq: number;
  /** Older events are left out. */
  readonly notBefore: number;
  /** At most so many, the newest. */
  readonly max: number;
}
export type PutSubscriptionResult =
  | {
      readonly kind: "created";
      /** The `seq` up to which every event is settled for this subscription. */
      readonly watermark: number;
      /** Events after the requested `seq` are left out. */
      readonly truncated: boolean;
      /** Deliveries that are due now. */
      readonly replayed: number;
    }
  | {
      readonly kind: "refreshed";
      readonly watermark: number;
      /** Its health before the refresh. */
      readonly health: SubscriptionHealth;
      /** Deliveries that wait for another attempt, the longest waits first: 100 at most. */
      readonly waiting: readonly WaitingDelivery[];
      /** Held deliveries that are due now. */
      readonly resumed: number;
    }
  | { readonly kind: "limit" };

export interface RevokeSubscriptions {
  readonly principals: readonly string[];
  readonly limit: number;
  readonly now: number;
}
export interface EndedSubscription {
  readonly id: string;
  readonly principal: string;
  readonly url: string;
  /** Newest first. */
  readonly signingSecrets: readonly string[];
  /** The error of the last attempt; null: it succeeded, or there was none. */
  readonly lastError: AttemptError | null;
}

export interface SubscriptionPage {
  readonly after: { readonly registeredAt: number; readonly id: string } | null;
  readonly limit: number;
  /** How many deliveries of each, the newest. */
  readonly deliveries: number;
  readonly now: number;
}
export interface ListedSubscription {
  readonly id: string;
  readonly callbackId: string;
  readonly name: EventName;
  readonly taskId: string | null;
  readonly url: string;
  readonly status: SubscriptionStatus;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly health: SubscriptionHealth;
  /** The newest first. */
  readonly deliveries: readonly Delivery[];
}
