import type { Progress } from "./task.ts";

/** emit: now. wait: the last event is too young, so at `dueAt` (epoch ms). none: there is nothing that the last event does not say. */
export type ProgressEventStep =
  | { readonly kind: "emit" }
  | { readonly kind: "wait"; readonly dueAt: number }
  | { readonly kind: "none" };

export interface LastProgressEvent {
  readonly progress: Progress;
  /** Epoch ms. */
  readonly occurredAt: number;
}

/** Whether a task's progress is an event now. `last`: the task's last event of progress; null: none. `intervalMs`: between two events. */
export function progressEventStep(
  progress: Progress,
  last: LastProgressEvent | null,
  now: number,
  intervalMs: number,
): ProgressEventStep {
  if (last === null) return { kind: "emit" };
  if (isSame(last.progress, progress)) return { kind: "none" };
  // After the clock was set back, an event that lies in the future delays none.
  const elapsedMs = last.occurredAt > now ? intervalMs : now - last.occurredAt;
  return elapsedMs < intervalMs ? { kind: "wait", dueAt: now + intervalMs - elapsedMs } : { kind: "emit" };
}

function isSame(one: Progress, other: Progress): boolean {
  return one.done === other.done && one.total === other.total && one.message === other.message;
}
