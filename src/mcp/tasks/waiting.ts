import { hasEnded } from "../../domain/task.ts";
import type { Progress, Task } from "../../domain/task.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Tasks } from "../../service/tasks.ts";
import type { Call } from "../protocol/request.ts";
import type { WaitSlots } from "./wait-slots.ts";

const PROGRESS_INTERVAL_MS = 1000;

export interface WaitingNeeds {
  readonly tasks: Pick<Tasks, "untilEnded" | "onProgress">;
  readonly clock: Clock;
  /** How long a call waits for its task. */
  readonly runTaskWaitMs: number;
  /** A call that gets none does not wait. */
  readonly waitSlots: WaitSlots;
}

/**
 * The task once it has ended, or as it is when the wait is over, the client has gone or this server stops; the task itself goes on
 * whatever happens to the call. Tells of the progress meanwhile, if the client has asked for that.
 */
export async function waitForEnd(
  call: Call,
  task: Task,
  expectedMs: number | null,
  { tasks, clock, runTaskWaitMs, waitSlots }: WaitingNeeds,
): Promise<Task> {
  if (hasEnded(task)) return task;
  const free = waitSlots.take(call.principal);
  if (free === null) return task;
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, call.closing, over.signal]);
  void clock.sleep(runTaskWaitMs, signal).then(() => over.abort("waited"));
  const telling = tellProgress(call, task, { expectedMs, tasks, clock }, signal);
  try {
    return await tasks.untilEnded(task, signal);
  } finally {
    free();
    over.abort("ended");
    await telling;
  }
}

interface TellingNeeds extends Pick<WaitingNeeds, "tasks" | "clock"> {
  readonly expectedMs: number | null;
}

/** What the handler tells, once it tells anything; the time that has passed until then. */
async function tellProgress(call: Call, task: Task, needs: TellingNeeds, signal: AbortSignal): Promise<void> {
  const { progressToken, notify } = call;
  if (progressToken === null) return;
  const { tasks, clock, expectedMs } = needs;
  let newest: Progress | null = null;
  const stopListening = tasks.onProgress(task, (progress) => void (newest = progress));
  // What is told must grow, so that the handler's count goes on where the time has stopped.
  let told = 0;
  let base: number | null = null;
  try {
    for (;;) {
      await clock.sleep(PROGRESS_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const latest: Progress | null = newest;
      if (latest !== null) base ??= told;
      const next = latest === null ? elapsed(task, expectedMs, clock.now()) : countedOn(latest, base ?? 0);
      if (next.progress <= told) continue;
      told = next.progress;
      await notify("notifications/progress", { progressToken, ...next });
    }
  } catch {
    // The client has gone: nobody is left to be told.
  } finally {
    stopListening();
  }
}

function countedOn({ done, total, message }: Progress, base: number) {
  return {
    progress: base + done,
    ...(total !== null && { total: base + total }),
    ...(message !== null && { message }),
  };
}

/** In seconds since the start. `total` only as long as it may be true. */
function elapsed({ createdAt, taskId }: Task, expectedMs: number | null, now: number) {
  const elapsedMs = now - createdAt;
  const total = expectedMs === null || elapsedMs > expectedMs ? {} : { total: expectedMs / 1000 };
  const message = `Task ${taskId} has been under way for ${Math.round(elapsedMs / 1000)} s`;
  return { progress: elapsedMs / 1000, ...total, message };
}
