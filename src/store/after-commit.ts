import type { Notice, Notifier } from "../service/ports/notifier.ts";
import type { Store } from "../service/ports/store.ts";
import type { WorkQueues } from "../service/ports/work-queue.ts";
import { dueWorkOf, WRITE_VERBS } from "./due-work.ts";
import type { WriteVerb } from "./due-work.ts";
import { NOTICES } from "./notices.ts";

export interface AfterCommit {
  readonly queues: WorkQueues;
  readonly notifier: Notifier;
}

/**
 * Wraps the store. When a method has succeeded, it publishes the commit and wakes the queues; then the method resolves. A method that rejects
 * does neither.
 */
export function publishAndWake(store: Store, { queues, notifier }: AfterCommit): Store {
  function publishing<Verb extends WriteVerb>(verb: Verb) {
    type Given = Parameters<Store[Verb]>;
    type Result = Awaited<ReturnType<Store[Verb]>>;
    const call = store[verb] as (...given: Given) => Promise<Result>;
    const dueWork = dueWorkOf(verb);
    const noticeOf = noticeRule(verb) as ((result: Result, ...given: Given) => Notice | null) | null;
    if (dueWork === null && noticeOf === null) return call;
    return async (...given: Given): Promise<Result> => {
      const result = await call(...given);
      const notice = noticeOf?.(result, ...given) ?? null;
      if (notice !== null) notifier.publish(notice);
      for (const queue of dueWork?.(result, ...given) ?? []) queues[queue].wake();
      return result;
    };
  }
  return { ...store, ...Object.fromEntries(WRITE_VERBS.map((verb) => [verb, publishing(verb)])) };
}

function noticeRule(verb: WriteVerb): unknown {
  return verb in NOTICES ? NOTICES[verb as keyof typeof NOTICES] : null;
}
