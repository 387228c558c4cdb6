import type { Notice } from "../service/ports/notifier.ts";
import type { Store } from "../service/ports/store.ts";
import type { FinishTaskResult } from "../service/ports/task-store.ts";

export type NoticeVerb = "finishTask" | "cancelTask" | "recordProgress";

/** For each verb whose commit subscribers wait for: the notice, by its result and its arguments; null: there is none. */
export const NOTICES: {
  readonly [Verb in NoticeVerb]: (
    result: Awaited<ReturnType<Store[Verb]>>,
    ...given: Parameters<Store[Verb]>
  ) => Notice | null;
} = {
  finishTask: endNotice,
  cancelTask: endNotice,
  recordProgress: (result, { id }) => (result === null ? null : { kind: "progress", task: id }),
};

function endNotice(ended: FinishTaskResult | null, { id }: { readonly id: string }): Notice | null {
  return ended === null ? null : { kind: "ended", principal: ended.principal, task: id };
}
