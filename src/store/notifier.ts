import type { Notifier } from "../service/ports/notifier.ts";
import type { Emit } from "../service/ports/telemetry.ts";

type Subscriber = (task: string) => void;

/** One process has the file for itself, so every commit is published in this process. */
export function createNotifier({ emit }: { readonly emit: Emit }): Notifier {
  const ends = createTopics(emit);
  const events = createTopics(emit);
  const endsOfTasks = createTopics(emit);
  const progress = createTopics(emit);
  return {
    publish(notice) {
      const { kind, task } = notice;
      if (kind === "progress") return progress.publish(task, task);
      endsOfTasks.publish(task, task);
      events.publish(notice.principal, task);
      ends.publish(ANY, task);
    },
    onAnyEnd: (subscriber) => ends.subscribe(ANY, subscriber),
    onEndOfPrincipal: (principal, subscriber) => events.subscribe(principal, subscriber),
    onEndOfTask: (task, subscriber) => endsOfTasks.subscribe(task, subscriber),
    onProgressOf: (task, subscriber) => progress.subscribe(task, subscriber),
  };
}

const ANY = "any";

/** Subscribers by topic, so that a notice costs only the subscribers of its topic. */
function createTopics(emit: Emit) {
  const topics = new Map<string, Set<Subscriber>>();
  return {
    publish(topic: string, task: string): void {
      for (const subscriber of topics.get(topic) ?? []) {
        try {
          subscriber(task);
        } catch (error) {
          emit({ kind: "internal.failed", where: "subscriber of the notifier", error });
        }
      }
    },
    subscribe(topic: string, subscriber: Subscriber): () => void {
      // An entry of its own: the same function may subscribe twice.
      const entry: Subscriber = (task) => subscriber(task);
      const subscribers = topics.get(topic) ?? new Set();
      topics.set(topic, subscribers.add(entry));
      return () => {
        subscribers.delete(entry);
        if (subscribers.size === 0 && topics.get(topic) === subscribers) topics.delete(topic);
      };
    },
  };
}
