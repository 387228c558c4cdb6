import type { Progress } from "../domain/task.ts";

/** Those in this process who want to know how far a task is, by its internal id. What is kept is the store's. */
export function createProgressFeed() {
  const listeners = new Map<string, Set<(progress: Progress) => void>>();
  return {
    tell(task: string, progress: Progress): void {
      for (const listener of listeners.get(task) ?? []) listener(progress);
    },
    listen(task: string, listener: (progress: Progress) => void): () => void {
      const others = listeners.get(task) ?? new Set();
      listeners.set(task, others.add(listener));
      return () => {
        others.delete(listener);
        if (others.size === 0) listeners.delete(task);
      };
    },
  };
}
