import type { EventFeed } from "./event-feed.ts";

/** Those in this process who wait for the end of a task. */
export interface TaskWaits {
  /** Calls `wake` at the next event of the task (its internal id); returns what ends the waiting. */
  add(task: string, wake: () => void): () => void;
}

/** By task, so that an event costs those who wait for it and not all who wait. */
export function createTaskWaits(feed: Pick<EventFeed, "listen">): TaskWaits {
  const waiting = new Map<string, Set<() => void>>();
  feed.listen(({ task }) => {
    for (const wake of waiting.get(task) ?? []) wake();
  });
  return {
    add(task, wake) {
      const others = waiting.get(task) ?? new Set();
      waiting.set(task, others.add(wake));
      return () => {
        others.delete(wake);
        if (others.size === 0) waiting.delete(task);
      };
    },
  };
}
