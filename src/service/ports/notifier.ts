/** A commit that subscribers wait for. It has ids only: a subscriber reads the state from the store. */
export type Notice =
  /** A task has ended, and its event is in the log. `task`: the internal id. */
  | { readonly kind: "ended"; readonly principal: string; readonly task: string }
  /** The progress of a task was stored. `task`: the internal id. */
  | { readonly kind: "progress"; readonly task: string };

/**
 * Calls subscribers after commits. The store publishes; with several processes on one database, the commits of all of them are published.
 * A subscriber may be called without a change, and is called once for several changes that are close together. So it subscribes first, reads
 * the store, and reads it again when it is called. It must not block; what it throws is reported and affects no other subscriber. Nothing is
 * queued: the memory is that of the subscriptions, whose number each subscribing service bounds.
 *
 * Each method returns the function that ends the subscription.
 */
export interface Notifier {
  publish(notice: Notice): void;
  /** After the end of any task. */
  onAnyEnd(subscriber: (task: string) => void): () => void;
  /** After the end of a task of this principal. */
  onEndOfPrincipal(principal: string, subscriber: () => void): () => void;
  /** After the end of this task (its internal id). */
  onEndOfTask(task: string, subscriber: () => void): () => void;
  /** After each stored progress of this task (its internal id). */
  onProgressOf(task: string, subscriber: () => void): () => void;
}
