/** What looking after callbacks that exist needs from outside: withdrawing, redelivering, testing, diagnosing. Part of store.ts. */
import type { AttemptError, Outcome } from "../../domain/attempt.ts";
import type { DisabledReason } from "../../domain/callback-health.ts";
import type { Callback } from "../../domain/callback.ts";
import type { DeliveryStatus } from "../../domain/delivery.ts";
import type { DiagnosisStep } from "../../domain/diagnosis.ts";
import type { RedeliveryRefusal } from "../../domain/redelivery.ts";

/** Verbs of the Store; what is promised of all of them is promised of these. Another principal's row is as one that is not there. */
export interface CallbackVerbs {
  /** With what signs for it at `now` (epoch ms). Null: there is none. */
  findCallback(query: FindCallback): Promise<FoundCallback | null>;
  /** The callback removed and its open deliveries cancelled; removed before: as it is. Null: there is none. */
  unregisterCallback(command: UnregisterCallback): Promise<UnregisterCallbackResult | null>;
  /** A disabled callback active again, its health in order and what was held for it due now; any other as it is. Null: there is none. */
  enableCallback(command: EnableCallback): Promise<EnableCallbackResult | null>;
  /**
   * Opens one delivery, or up to `limit` matching ones, again, with its schedule anew: due now, or as soon as its attempt is over if it is
   * being sent. Those of progress are left as they are.
   */
  redeliver(command: Redeliver): Promise<RedeliverResult>;
}

/** By its id, or by the three that name it. */
export interface FindCallback {
  readonly principal: string;
  readonly callbackId: string;
  readonly now: number;
}
export interface FoundCallback {
  readonly callback: Callback;
  /** Newest first. */
  readonly signingSecrets: readonly string[];
}

export type CallbackKey =
  | { readonly callbackId: string }
  | { readonly taskId: string; readonly clientId: string; readonly url: string };

export interface UnregisterCallback {
  readonly principal: string;
  readonly callback: CallbackKey;
  readonly now: number;
}
export interface UnregisterCallbackResult {
  /** False: it had been removed before. */
  readonly removedNow: boolean;
  readonly callback: Callback;
  /** Deliveries that were open until now. */
  readonly cancelledCount: number;
}

export interface EnableCallback {
  readonly principal: string;
  readonly callbackId: string;
  readonly now: number;
}
export interface EnableCallbackResult {
  /** Why it was disabled until now, and how many deliveries had waited for it; null: it was not disabled. */
  readonly enabled: { readonly reason: DisabledReason; readonly resumedCount: number } | null;
  readonly callback: Callback;
}

/** What the end of an attempt made of its callback. */
export type CallbackChange =
  | {
      readonly status: "disabled";
      readonly reason: DisabledReason;
      /** Epoch ms. */
      readonly failingSince: number;
      /** Deliveries that wait from now on until it is enabled. */
      readonly heldCount: number;
    }
  /** An attempt that was under way when the callback was disabled has got through. */
  | { readonly status: "active"; readonly resumedCount: number };

/** `statuses`: as readers see them; null: any. `since`: of deliveries that came to be at this time (epoch ms) or later; null: ever. */
export interface DeliveryFilter {
  readonly statuses: readonly DeliveryStatus[] | null;
  readonly since: number | null;
}

/** A page of the callbacks of a task, the oldest first. With a filter: those that have matching deliveries, and of these only them. */
export interface HistoryPage extends DeliveryFilter {
  /** The callback that the page before ended with; null: from the start. */
  readonly after: { readonly registeredAt: number; readonly id: string } | null;
  readonly limit: number;
}

/** Where a bounded step of redelivering ended. */
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
      /** Matching deliveries that were left alone, since their callback is not active or its not_after is past. */
      readonly passedOver: number;
      /** Where the next step goes on; null: there is nothing more. */
      readonly next: RedeliverPosition | null;
    }
  | { readonly kind: "not_found" }
  /** The one callback that is meant gets nothing. */
  | { readonly kind: "refused"; readonly callbackId: string; readonly why: RedeliveryRefusal };

/** A signed POST outside the outbox: nothing of it is stored, and it is made once. */
export interface ProbePost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The exact text that was signed. */
  readonly body: string;
}
export interface ProbeResult {
  readonly outcome: Pick<Outcome, "statusCode" | "error">;
  readonly durationMs: number;
}
export interface ReceiverTester {
  /** One attempt, within the time an attempt has. `busy`: as many probes are under way as may be. */
  post(post: ProbePost): Promise<ProbeResult | "busy">;
  /**
   * Every step that an attempt takes, each tried on its own, up to the first that fails; the time for all is bounded. `badSignature`: one that
   * the receiver should refuse, sent when it has taken the other; null: there is none.
   */
  diagnose(post: ProbePost, badSignature: ProbePost | null): Promise<readonly DiagnosisStep[] | "busy">;
}

/** Part of TelemetryEvent. */
export type CallbackTelemetry =
  | {
      readonly kind: "callback.removed";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly cancelledCount: number;
    }
  | {
      readonly kind: "callback.enabled";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly resumedCount: number;
    }
  | {
      readonly kind: "callback.disabled";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly reason: DisabledReason;
      /** Epoch ms. */
      readonly failingSince: number;
      /** Of the last attempt. */
      readonly error: AttemptError | null;
      readonly heldCount: number;
    }
  | { readonly kind: "deliveries.redelivered"; readonly count: number }
  | {
      readonly kind: "callback.tested";
      readonly callbackId: string;
      readonly clientId: string;
      readonly statusCode: number | null;
      readonly error: AttemptError | null;
      readonly durationMs: number;
    };
