import { hasEnded } from "../domain/task.ts";
import type { Progress, Task } from "../domain/task.ts";
import type { Notifier } from "./ports/notifier.ts";
import type { TaskStore } from "./ports/task-store.ts";
import type { Emit } from "./ports/telemetry.ts";

export interface TaskWaitsParts {
  readonly store: TaskStore;
  readonly notifier: Notifier;
  readonly emit: Emit;
}

/** Waiting for the end of a task, and following its progress. */
export interface TaskWaits {
  /** The task once it has ended, or as it is when `signal` aborts. */
  untilEnded(task: Task, signal: AbortSignal): Promise<Task>;
  /** Calls `subscriber` with the newest progress after each change. Returns the function that ends the subscription. */
  onProgress(task: Task, subscriber: (progress: Progress) => void): () => void;
}

export function createTaskWaits({ store, notifier, emit }: TaskWaitsParts): TaskWaits {
  return {
    async untilEnded(task, signal) {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      const end = (): void => resolve();
      // Before the task is read, or an end between the two would be missed.
      const unsubscribe = notifier.onEndOfTask(task.id, end);
      signal.addEventListener("abort", end);
      try {
        const found = await store.findTaskById(task.principal, task.id);
        if (found === null || hasEnded(found)) return found ?? task;
        if (!signal.aborted) await ended;
      } finally {
        unsubscribe();
        signal.removeEventListener("abort", end);
      }
      return (await store.findTaskById(task.principal, task.id)) ?? task;
    },

    onProgress({ principal, taskId, id }, subscriber) {
      let isSubscribed = true;
      let isReading = false;
      let isStale = false;

      /** One read at a time: changes during a read are one further read. */
      async function readProgress(): Promise<void> {
        isStale = true;
        if (isReading) return;
        isReading = true;
        try {
          while (isStale) {
            isStale = false;
            const reading = await store.readTask(principal, taskId);
            if (isSubscribed && reading !== null && reading.progress !== null) subscriber(reading.progress);
          }
        } catch (error) {
          emit({ kind: "internal.failed", where: `progress of task ${taskId}`, error });
        } finally {
          isReading = false;
        }
      }

      const unsubscribe = notifier.onProgressOf(id, () => void readProgress());
      return () => {
        isSubscribed = false;
        unsubscribe();
      };
    },
  };
}
