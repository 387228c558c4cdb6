/** What the store does to keep house, asked for by nobody outside: its old history goes, its secrets are kept well. */

import type { Callback } from "../../domain/callback.ts";
import type { EndedSubscription } from "./subscription-store.ts";

/** The part of the Store port that keeps house; what `Store` says of its verbs holds for these too. */
export interface MaintenanceVerbs {
  /**
   * One small step of retention: looks at the next tasks that ended before `before`, the oldest first, and removes each one whole, with its
   * events, deliveries, attempts and callbacks. A task of which anything is open, or younger than `before` (a callback registered
   * later, a delivery settled later), is passed over whole. The task_id may be used again. Totals (`counts`) stay.
   */
  pruneHistory(command: PruneHistory): Promise<PrunedStep>;
  /**
   * Gives a callback of `principal` a new signing secret, the replaced one signing too for the overlap. Deliveries that were claimed
   * and wait for their next try are given back, so that every request from then on is signed with what holds then.
   */
  rotateSecret(command: RotateSecret): Promise<RotateSecretResult>;
  /**
   * One small step over all subscriptions, from the id `after` on: ends those without an end of their own that were suspended before
   * `before`, removes those that have ended and of whose deliveries retention has left none, and with the first step forgets the
   * challenges that no longer count.
   */
  pruneSubscriptions(command: PruneSubscriptions): Promise<PrunedSubscriptions>;
  /** One small step, over all callbacks once: encrypts what is in clear or under an older key. Without a key there is nothing to do. */
  reencryptSecrets(command: { readonly limit: number }): Promise<ReencryptedStep>;
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
      /** Epoch ms until which an older secret signs too; null: none does. */
      readonly overlapEnd: number | null;
    }
  | { readonly kind: "not_found" }
  | { readonly kind: "removed" }
  /** Its secret is its client's to choose, with each refresh. */
  | { readonly kind: "subscription" };

export interface ReencryptedStep {
  /** Callbacks whose secrets were written anew. */
  readonly sealed: number;
  /** Callbacks whose secrets were altered by somebody and cannot be read: they stay as they are. */
  readonly unreadable: number;
  readonly isDone: boolean;
}

export interface PruneSubscriptions {
  /** Epoch ms: what has ended since is kept. */
  readonly before: number;
  readonly now: number;
  readonly limit: number;
  /** The `next` of the step before; null: from the start. */
  readonly after: string | null;
}
export interface PrunedSubscriptions {
  readonly callbacks: number;
  /** Those without an end whose receivers have failed for so long that they are dropped. */
  readonly givenUp: readonly EndedSubscription[];
  /** Null: that was the last step. */
  readonly next: string | null;
}

export interface PruneHistory {
  /** Epoch milliseconds. */
  readonly before: number;
  /** Tasks to look at, at most; the step ends sooner when it has removed very many rows. */
  readonly limit: number;
  /** The `next` of the step before; null: from the oldest. */
  readonly after: PruneCursor | null;
}
/** The last task that was looked at. */
export interface PruneCursor {
  readonly finishedAt: number;
  readonly id: string;
}
export interface PrunedStep {
  readonly removed: RemovedRows;
  /** Where the next step goes on; null: there is no older task left to look at. */
  readonly next: PruneCursor | null;
}
/** How many rows of each kind. */
export interface RemovedRows {
  readonly tasks: number;
  readonly callbacks: number;
  readonly events: number;
  readonly deliveries: number;
  readonly attempts: number;
}

export type MaintenanceTelemetry =
  /** Once for each pass that removed something. `before`: epoch ms. */
  | ({ readonly kind: "history.pruned"; readonly before: number; readonly durationMs: number } & RemovedRows)
  /** Once after a start that found secrets which were not under the newest key. */
  | { readonly kind: "secrets.reencrypted"; readonly callbacks: number; readonly unreadable: number }
  | {
      readonly kind: "callback.secret_rotated";
      readonly callbackId: string;
      readonly taskId: string | null;
      readonly clientId: string;
      readonly overlapEnd: number | null;
    };
