/** The rules of work that is done outside: leases of workers, and the completion URLs of jobs. Times are epoch ms. */
import type { TaskStatus } from "./task.ts";

export interface LeaseRow {
  readonly status: TaskStatus;
  /** Of the last lease's token; null: the task has had none, or it has expired. */
  readonly leaseDigest: string | null;
  /** Until when the lease, or the last completion URL, holds; null: there is none. */
  readonly leaseUntil: number | null;
}

/** What allows an end from outside. expired_lease: the time until `leaseUntil` is over and was not extended meanwhile. */
export type CompletionGrant =
  | { readonly kind: "lease"; readonly leaseDigest: string }
  | { readonly kind: "completion"; readonly digest: string }
  | { readonly kind: "expired_lease"; readonly leaseUntil: number };

/** Whether the worker with this token may still renew, release or end the task. */
export function leaseHolds({ status, leaseDigest, leaseUntil }: LeaseRow, digest: string, now: number): boolean {
  return status === "running" && leaseDigest === digest && leaseUntil !== null && leaseUntil > now;
}

/**
 * current: no other worker has claimed the task since. The lease may have expired and the task may have ended. released: the worker has
 * released it, and no worker has claimed the task since.
 */
export type LeaseStatus = "current" | "released" | "lost";

export function leaseStatus({ status, leaseDigest }: LeaseRow, digest: string): LeaseStatus {
  if (leaseDigest !== digest) return "lost";
  return status === "pending" ? "released" : "current";
}

/** Whether a lease that was found expired is still the same: it was not renewed, and its task may end or go to another worker. */
export function isSameLease({ status, leaseUntil }: LeaseRow, foundUntil: number): boolean {
  return status === "running" && leaseUntil === foundUntil;
}

export interface CompletionState {
  readonly expiresAt: number;
  /** Null: it was not used. */
  readonly usedAt: number | null;
}

/** A completion URL ends its task once, before it expires. */
export function isUsable({ expiresAt, usedAt }: CompletionState, now: number): boolean {
  return usedAt === null && expiresAt > now;
}

/** Until when a task waits for its completion URLs once it has a further one, which expires at `expiresAt`: until the last of them. */
export function completionDeadline(leaseUntil: number | null, expiresAt: number): number {
  return Math.max(leaseUntil ?? 0, expiresAt);
}
