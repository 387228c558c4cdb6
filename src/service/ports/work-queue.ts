/** The kinds of work that start by themselves: deliveries to send, tasks to run, leases of workers to end, history to remove. */
export type QueueName = "deliveries" | "tasks" | "leases" | "maintenance";

/**
 * Starts a kind of work when it becomes due, never at an interval. A store has one for each kind, and wakes it after each commit that made
 * something due.
 */
export interface WorkQueue {
  /** How many passes have thrown since the last one that did not. */
  readonly failedPasses: number;
  /** Runs `pass` now, after each wake, and at the time that the last pass returned (epoch ms, in the future; null: none). */
  start(pass: () => Promise<number | null>): void;
  /** Several wakes before the next pass are one. A wake during a pass causes another pass. Before `start` and after `stop` it does nothing. */
  wake(): void;
  /** Resolves when the running pass is over; no other follows. May be called twice. */
  stop(): Promise<void>;
}

export type WorkQueues = Readonly<Record<QueueName, WorkQueue>>;
