import type { EndEvent } from "../domain/event.ts";

/** An end that has just been committed, for those in this process who wait for it. What is durable is the store's; this only wakes. */
export interface CommittedEvent {
  readonly principal: string;
  /** The internal id of the task it is about. */
  readonly task: string;
  readonly event: EndEvent;
}

export type EventListener = (committed: CommittedEvent) => void;

/** Tells of the ends of tasks as they are committed. Whoever listens looks into the store once before it waits, or it misses what came first. */
export interface EventFeed {
  publish(committed: CommittedEvent): void;
  /** Returns what ends the listening; listeners must not throw. */
  listen(listener: EventListener): () => void;
}

export function createEventFeed(): EventFeed {
  const listeners = new Set<EventListener>();
  return {
    publish(committed) {
      for (const listener of listeners) listener(committed);
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
