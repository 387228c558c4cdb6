import { hasEnded } from "../../domain/task.ts";
import type { Task } from "../../domain/task.ts";
import type { Clock } from "../../service/ports.ts";
import type { Tasks } from "../../service/tasks.ts";
import type { Call } from "../call.ts";

const PROGRESS_INTERVAL_MS = 1000;

export interface WaitingNeeds {
  readonly tasks: Pick<Tasks, "untilEnded">;
  readonly clock: Clock;
  /** How long a call waits for its task. */
  readonly runTaskWaitMs: number;
}

/**
 * The task once it has ended, or as it is when the wait is over, the client has gone or this server stops; the task itself goes on
 * whatever happens to the call. Tells of the progress meanwhile, if the client has asked for that.
 */
export async function waitForEnd(
  call: Call,
  task: Task,
  expectedMs: number | null,
  { tasks, clock, runTaskWaitMs }: WaitingNeeds,
): Promise<Task> {
  if (hasEnded(task)) return task;
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, call.closing, over.signal]);
  void clock.sleep(runTaskWaitMs, signal).then(() => over.abort("waited"));
  const telling = tellProgress(call, task, expectedMs, clock, signal);
  try {
    return await tasks.untilEnded(task, signal);
  } finally {
    over.abort("ended");
    await telling;
  }
}

/** In seconds since the start. `total` only as long as it may be true. */
async function tellProgress(
  { progressToken, notify }: Call,
  { createdAt, taskId }: Task,
  expectedMs: number | null,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  if (progressToken === null) return;
  for (;;) {
    await clock.sleep(PROGRESS_INTERVAL_MS, signal);
    if (signal.aborted) return;
    const elapsedMs = clock.now() - createdAt;
    const total = expectedMs === null || elapsedMs > expectedMs ? {} : { total: expectedMs / 1000 };
    const message = `Task ${taskId} has been under way for ${Math.round(elapsedMs / 1000)} s`;
    try {
      await notify("notifications/progress", { progressToken, progress: elapsedMs / 1000, ...total, message });
    } catch {
      // The client has gone: nobody is left to be told.
      return;
    }
  }
}
