import { hasEnded } from "../../domain/task.ts";
import type { Progress, Task } from "../../domain/task.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Tasks } from "../../service/tasks.ts";
import type { McpRequest } from "../protocol/mcp-request.ts";
import type { WaitSlots } from "./wait-slots.ts";

const PROGRESS_INTERVAL_MS = 1000;

export interface WaitingParts {
  readonly tasks: Pick<Tasks, "untilEnded" | "onProgress">;
  readonly clock: Clock;
  /** How long a call waits for the end of its task. */
  readonly runTaskWaitMs: number;
  /** A call that gets no slot does not wait. */
  readonly waitSlots: WaitSlots;
}

/**
 * Resolves with the task once it has ended, or as it was at first when the wait is over, the client disconnects or this server stops. The
 * task itself goes on in any case. Sends progress notifications meanwhile, if the client asks for them.
 */
export async function waitForEnd(
  request: McpRequest,
  task: Task,
  expectedMs: number | null,
  { tasks, clock, runTaskWaitMs, waitSlots }: WaitingParts,
): Promise<Task> {
  if (hasEnded(task)) return task;
  const release = waitSlots.acquire(request.principal);
  if (release === null) return task;
  const over = new AbortController();
  const signal = AbortSignal.any([request.signal(), request.stopping, over.signal]);
  void clock.sleep(runTaskWaitMs, signal).then(() => over.abort("waited"));
  const reporting = sendProgress(request, task, { expectedMs, tasks, clock }, signal);
  try {
    return await tasks.untilEnded(task, signal);
  } finally {
    release();
    over.abort("ended");
    await reporting;
  }
}

interface ProgressParts extends Pick<WaitingParts, "tasks" | "clock"> {
  readonly expectedMs: number | null;
}

/** Sends the progress that the task reports. Until its first report, sends the time that has passed. */
async function sendProgress(
  request: McpRequest,
  task: Task,
  { tasks, clock, expectedMs }: ProgressParts,
  signal: AbortSignal,
): Promise<void> {
  const { progressToken, notify } = request;
  if (progressToken === null) return;
  let newest: Progress | null = null;
  const stopListening = tasks.onProgress(task, (progress) => void (newest = progress));
  // MCP wants `progress` to grow. So the task's count is added to the time that was sent before it.
  let sent = 0;
  let base: number | null = null;
  try {
    for (;;) {
      await clock.sleep(PROGRESS_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const latest: Progress | null = newest;
      if (latest !== null) base ??= sent;
      const next = latest === null ? elapsed(task, expectedMs, clock.now()) : countedFrom(base ?? 0, latest);
      if (next.progress <= sent) continue;
      sent = next.progress;
      await notify("notifications/progress", { progressToken, ...next });
    }
  } catch {
    // The client has disconnected.
  } finally {
    stopListening();
  }
}

function countedFrom(base: number, { done, total, message }: Progress) {
  return {
    progress: base + done,
    ...(total !== null && { total: base + total }),
    ...(message !== null && { message }),
  };
}

/** In seconds since the start. With `total` only while it may be true. */
function elapsed({ createdAt, taskId }: Task, expectedMs: number | null, now: number) {
  const elapsedMs = now - createdAt;
  const total = expectedMs === null || elapsedMs > expectedMs ? {} : { total: expectedMs / 1000 };
  const message = `Task ${taskId} was started ${Math.round(elapsedMs / 1000)} s ago`;
  return { progress: elapsedMs / 1000, ...total, message };
}
