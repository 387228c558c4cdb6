/** The rules of a task's runs by a handler. Times are epoch ms. */
import { CRASHES_MAX } from "./task.ts";
import type { Task, TaskStatus } from "./task.ts";

/** Whether this run of the task, and no later one, is under way. */
export function isUnderWay(
  task: { readonly status: TaskStatus; readonly runCount: number },
  runCount: number,
): boolean {
  return task.status === "running" && task.runCount === runCount;
}

export type RetriedTask = Pick<Task, "status" | "failures" | "crashes" | "error" | "dueAt">;

/** After a run that failed: pending again at `dueAt`. The run came to an end of its own, so no crash counts any more. */
export function retried(failures: number, error: string, dueAt: number): RetriedTask {
  return { status: "pending", failures: failures + 1, crashes: 0, error, dueAt };
}

/** After a death of the process during a run. Not above the maximum: from then on a claimed task is only given up, and did not run. */
export function recoveredCrashes(crashes: number): number {
  return Math.min(crashes + 1, CRASHES_MAX);
}
