/** The rules of starting a task. Times are epoch ms. */
import { hasCompletionUrl, hasEnded, isSameStart } from "./task.ts";
import type { StartRequest, Task } from "./task.ts";

/** A repeated start adds a completion URL each time: only the digest of the first is kept, so it cannot be shown again. */
export const COMPLETIONS_PER_TASK_MAX = 10;

export type StartOutcome =
  | {
      readonly kind: "started";
      readonly isSame: true;
      readonly state: NewTaskState;
      readonly takesCompletion: boolean;
    }
  | {
      readonly kind: "existing";
      readonly task: Task;
      /** A client's retry: its callbacks are registered. Otherwise it is another start under the same id, which changes nothing. */
      readonly isSame: boolean;
      /** A completion URL may be added. */
      readonly takesCompletion: boolean;
    };

/** The fields of a new task that its start decides. */
export type NewTaskState = Pick<Task, "status" | "runCount" | "startedAt" | "dueAt">;

/** `existing`: the task with this task_id; null: there is none. */
export function startOutcome(existing: Task | null, request: StartRequest, now: number): StartOutcome {
  if (existing === null) {
    const state = newTaskState(request, now);
    return { kind: "started", isSame: true, state, takesCompletion: hasCompletionUrl(request) };
  }
  const isSame = isSameStart(existing, request);
  const takesCompletion = isSame && hasCompletionUrl(existing) && !hasEnded(existing);
  return { kind: "existing", task: existing, isSame, takesCompletion };
}

/** A job with a completion URL has its task at once, so the task runs from its start on. */
function newTaskState(request: StartRequest, now: number): NewTaskState {
  const dueAt = request.startAfter ?? now;
  if (hasCompletionUrl(request)) return { status: "running", runCount: 1, startedAt: now, dueAt };
  return { status: "pending", runCount: 0, startedAt: null, dueAt };
}
