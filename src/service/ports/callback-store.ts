import type { DisabledReason } from "../../domain/callback-health.ts";
import type { Callback, Registration, RegistrationDifference } from "../../domain/callback.ts";
import type { EndType } from "../../domain/event.ts";

/**
 * Registered callbacks. Each verb is one atomic unit of work: when its promise resolves, its changes survive kill -9; when it rejects, nothing
 * has changed. A callback of another principal is not found. Times are epoch ms.
 */
export interface CallbackStore {
  /** Adds the callback (or activates one that was removed), or finds the one that is there. Of a task that has ended, its delivery is due at once. */
  registerCallback(command: RegisterCallback): Promise<RegisterCallbackResult>;
  /** With the secrets that sign for it at `now`. Null: not found. */
  findCallback(query: FindCallback): Promise<FoundCallback | null>;
  /** Removes the callback and cancels its open deliveries. One that was removed before stays as it is. Null: not found. */
  unregisterCallback(command: UnregisterCallback): Promise<UnregisterCallbackResult | null>;
  /** Activates a disabled callback: its failures are forgotten, and its held deliveries are due now. Any other stays as it is. Null: not found. */
  enableCallback(command: EnableCallback): Promise<EnableCallbackResult | null>;
  /**
   * Gives a callback a new signing secret. The replaced one signs too, for the overlap. Claims that are kept over a short wait are released, so
   * that every request from then on is signed with the new secret.
   */
  rotateSecret(command: RotateSecret): Promise<RotateSecretResult>;
}

/** A registration that has passed all checks of the service. */
export interface PreparedRegistration {
  readonly registration: Registration;
  /** Stored when the callback is new and its registration has no secret. */
  readonly generatedSecret: string;
}
export interface RegisterCallback extends PreparedRegistration {
  readonly principal: string;
  readonly now: number;
}
export type RegisterCallbackResult =
  | {
      readonly kind: "registered" | "existing";
      readonly callback: Callback;
      /** The task's callbacks that are not removed, this one included. */
      readonly callbackCount: number;
      /** The event of the task's end; null: it has not ended. */
      readonly ended: EndType | null;
    }
  | CallbackRefusal;
export type CallbackRefusal =
  | { readonly kind: "conflict"; readonly difference: RegistrationDifference }
  | { readonly kind: "limit" };

/** `startTask` rejects with it: one of the callbacks cannot be registered, so nothing is stored. */
export class CallbackRefused extends Error {
  override readonly name = "CallbackRefused";
  /** Its index among them. */
  readonly index: number;
  /** The client's. */
  readonly taskId: string;
  readonly why: CallbackRefusal;

  constructor(index: number, taskId: string, why: CallbackRefusal) {
    super(`Callback ${index} cannot be registered: ${why.kind}`);
    this.index = index;
    this.taskId = taskId;
    this.why = why;
  }
}

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

/** By its id, or by the three fields that identify it. */
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
  /** Why it was disabled until now, and how many held deliveries are due now; null: it was not disabled. */
  readonly enabled: { readonly reason: DisabledReason; readonly resumedCount: number } | null;
  readonly callback: Callback;
}

export interface RotateSecret {
  readonly principal: string;
  readonly callbackId: string;
  readonly secret: string;
  readonly overlapMs: number;
  readonly now: number;
}
export type RotateSecretResult =
  | {
      /** unchanged: `secret` was the current one already. */
      readonly kind: "rotated" | "unchanged";
      readonly callback: Callback;
      /** Epoch ms until which an older secret signs too; null: no older secret signs. */
      readonly overlapEnd: number | null;
    }
  | { readonly kind: "not_found" }
  | { readonly kind: "removed" }
  /** The client of a subscription chooses its secret, with each refresh. */
  | { readonly kind: "subscription" };
