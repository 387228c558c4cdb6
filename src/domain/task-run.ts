/** The rules of a task's runs, by a handler or by a worker. Times are epoch ms. */
import { CRASHES_MAX } from "./task.ts";
import type { Task, TaskStatus } from "./task.ts";

/** The wait after a first failed run. Each further failure doubles it, up to the maximum. */
const FIRST_WAIT_MS = 1000;
const WAIT_MS_MAX = 300_000;

/** Whether this run of the task, and no later one, is under way. */
export function isUnderWay(
  task: { readonly status: TaskStatus; readonly runCount: number },
  runCount: number,
): boolean {
  return task.status === "running" && task.runCount === runCount;
}

/**
 * The wait before the next run of a task whose run has failed (ms). Null: its type allows no further run. `failures`: the runs that failed
 * before. A run that a crash, a stop or a lost lease has cut off is no failure of the task.
 */
export function waitAfterFailedRun(failures: number, retries: number): number | null {
  return failures < retries ? Math.min(FIRST_WAIT_MS * 2 ** failures, WAIT_MS_MAX) : null;
}

export type RetriedTask = Pick<Task, "status" | "failures" | "crashes" | "error" | "dueAt">;

/** After a run that failed: pending again at `dueAt`. The run came to an end of its own, so no crash counts any more. */
export function retried(failures: number, error: string, dueAt: number): RetriedTask {
  return { status: "pending", failures: failures + 1, crashes: 0, error, dueAt };
}

/** After a crash of the process during a run. Not above the maximum: from then on a claimed task is only given up, and did not run. */
export function recoveredCrashes(crashes: number): number {
  return Math.min(crashes + 1, CRASHES_MAX);
}
