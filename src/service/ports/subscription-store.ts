/** What MCP Events needs from outside: subscriptions in the store, the log of events, the challenge. Part of store.ts. */
import type { AttemptError } from "../../domain/attempt.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { EndEvent, EndType, EventName } from "../../domain/event.ts";
import type { EndpointFault } from "../../domain/events-error.ts";
import type { WaitingDelivery } from "../../domain/throttle.ts";
import type { SubscriptionHealth, SubscriptionKey, SubscriptionStatus } from "../../domain/subscription.ts";

/**
 * Verbs of the Store; what is promised of all of them is promised of these. A subscription is a callback of the body profile
 * `mcp-events`: its deliveries are deliveries like all others. One whose time is over is as one that is not there.
 */
export interface SubscriptionVerbs {
  /** What a client's subscription is asked for by before anything is sent to its URL. */
  lookUpSubscription(look: SubscriptionLook): Promise<SubscriptionFound>;
  /** Whoever owns this URL has answered the challenge of this principal: it counts until then (epoch ms). */
  recordVerified(verified: VerifiedUrl): Promise<void>;
  /** Creates it, events to replay included, or refreshes the one that is there. `limit`: another create has taken the last place. */
  putSubscription(command: PutSubscription): Promise<PutSubscriptionResult>;
  /** Ends it and cancels its open deliveries. False: there is none. */
  removeSubscription(command: {
    readonly principal: string;
    readonly id: string;
    readonly now: number;
  }): Promise<boolean>;
  /** Ends those of a principal that is not among `principals`, at most `limit`, and returns whom to tell; nobody: it is done. */
  revokeSubscriptions(command: RevokeSubscriptions): Promise<readonly EndedSubscription[]>;
  /** A page of a principal's own, the oldest first, those that have ended included while their history is kept. */
  listSubscriptions(principal: string, page: SubscriptionPage): Promise<readonly ListedSubscription[]>;
  /** Events of a principal behind a place, the oldest first. */
  eventsAfter(query: EventsQuery): Promise<EventsPage>;
  /** The place behind everything that is committed. */
  lastEventSeq(): Promise<number>;
  /** The name of this log, which no other database has: letters and digits, the same for as long as the database lives. */
  eventLog(): Promise<string>;
}

export interface SubscriptionLook {
  readonly key: SubscriptionKey;
  readonly id: string;
  readonly now: number;
}
export interface SubscriptionFound {
  readonly exists: boolean;
  /** Its URL has answered a challenge of this principal, and that still counts. */
  readonly isUrlVerified: boolean;
  /** Live subscriptions of the principal, and of all (not counted for one that exists). */
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
  /** For how long a replaced secret signs too. */
  readonly overlapMs: number;
  /** Epoch ms; null: no end. */
  readonly expiresAt: number | null;
  /** Where to start; null: from now on. A refresh does not move. */
  readonly replay: Replay | null;
  readonly ownMax: number;
}
export interface Replay {
  readonly afterSeq: number;
  /** Nothing that happened before this (epoch ms). */
  readonly notBefore: number;
  /** The newest so many: what is more is not replayed. */
  readonly max: number;
}
export type PutSubscriptionResult =
  | {
      readonly kind: "created";
      /** Everything up to here is settled. */
      readonly watermark: number;
      /** Delivery starts later than was asked for. */
      readonly truncated: boolean;
      /** Deliveries that are due now. */
      readonly replayed: number;
    }
  | {
      readonly kind: "refreshed";
      readonly watermark: number;
      /** As it was before. */
      readonly health: SubscriptionHealth;
      /** Those that waited for another attempt, the longest waits first: 100 at most. */
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
  /** Of its receiver's last attempt; null: that got through, or there was none. */
  readonly lastError: AttemptError | null;
}

export interface SubscriptionPage {
  readonly after: { readonly registeredAt: number; readonly id: string } | null;
  readonly limit: number;
  /** The newest so many deliveries of each. */
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

export interface EventsQuery {
  readonly principal: string;
  readonly afterSeq: number;
  readonly types: readonly EndType[];
  readonly taskId: string | null;
  /** Nothing that happened before this (epoch ms). */
  readonly notBefore: number;
  readonly limit: number;
  /** Begin with the newest so many; null: with the oldest there is. */
  readonly newest: number | null;
}
export interface EventsPage {
  readonly events: readonly { readonly seq: number; readonly event: EndEvent }[];
  /** The place behind the last of them, or behind everything when there are no more. */
  readonly position: number;
  readonly hasMore: boolean;
  /** The place it began behind: `afterSeq`; later when older ones are left out, earlier when this log has not come to it. */
  readonly startedAfter: number;
  /**
   * Events behind `afterSeq` are left out: retention has removed them, or they are older or more than was asked for; or nobody can tell,
   * since the place is one that this log has not come to.
   */
  readonly hasLost: boolean;
}

/** Asks whoever owns a URL to echo a challenge. */
export interface EndpointVerifier {
  challenge(request: ChallengeRequest): Promise<ChallengeResult>;
  /** Sends a message once and does not care what comes of it, within the time an attempt has. */
  tell(post: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }): Promise<void>;
}
export interface ChallengeRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What must come back. */
  readonly expected: string;
}
/** `refused`: the guard or the resolver said no; told as one, so that nobody can look into a network through us. */
export type ChallengeResult =
  | { readonly kind: "echoed" }
  | { readonly kind: "refused" }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly fault: EndpointFault };

/** Part of TelemetryEvent. */
export type SubscriptionTelemetry =
  | {
      readonly kind: "subscription.created" | "subscription.refreshed";
      readonly subscriptionId: string;
      readonly name: EventName;
      readonly taskId: string | null;
      readonly expiresAt: number | null;
      /** Replayed or resumed. */
      readonly dueNow: number;
    }
  | {
      readonly kind: "subscription.ended";
      readonly subscriptionId: string;
      /** given up: it had no end, and its receiver has failed for as long as history is kept. */
      readonly why: "unsubscribed" | "revoked" | "given up";
    }
  /** Its URL did not echo the challenge. */
  | { readonly kind: "subscription.refused"; readonly subscriptionId: string; readonly why: EndpointFault };
