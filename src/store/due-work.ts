import type { CallbackChange } from "../service/ports/delivery-store.ts";
import type { Store } from "../service/ports/store.ts";
import type { FinishTaskResult } from "../service/ports/task-store.ts";
import type { QueueName } from "../service/ports/work-queue.ts";

/** The verbs that change nothing. */
type ReadVerb =
  | "findTask"
  | "readTask"
  | "findTaskById"
  | "listTasks"
  | "nextTaskDueAt"
  | "findCallback"
  | "deliveryHistory"
  | "callbackCount"
  | "counts"
  | "nextDeliveryTimes"
  | "findLease"
  | "expiredLeases"
  | "nextWorkerWorkAt"
  | "findCompletion"
  | "lookUpSubscription"
  | "listSubscriptions"
  | "eventsAfter"
  | "lastEventSeq"
  | "eventLog"
  | "listReceived";
export type WriteVerb = Exclude<keyof Store, ReadVerb | "close">;

/** What a call of a verb has made due, by its result and its arguments. */
export type DueWork<Verb extends WriteVerb> = (
  result: Awaited<ReturnType<Store[Verb]>>,
  ...given: Parameters<Store[Verb]>
) => readonly QueueName[];

const NOTHING: readonly QueueName[] = [];
const DELIVERIES: readonly QueueName[] = ["deliveries"];
const TASKS: readonly QueueName[] = ["tasks"];
const LEASES: readonly QueueName[] = ["leases"];

const nothing = (): readonly QueueName[] => NOTHING;
const deliveriesIf = (isDue: boolean): readonly QueueName[] => (isDue ? DELIVERIES : NOTHING);
const tasksIf = (isDue: boolean): readonly QueueName[] => (isDue ? TASKS : NOTHING);
const leasesIf = (isDue: boolean): readonly QueueName[] => (isDue ? LEASES : NOTHING);

/**
 * For each verb that writes: the queues in which it made something due, or moved a deadline. A new verb does not compile before it is listed
 * here. Where the result is not exact, the queue is woken: a needless wake costs one pass, a missing wake delays a delivery. A store with
 * several processes applies this table within its transaction.
 */
const DUE_WORK: { readonly [Verb in WriteVerb]: DueWork<Verb> } = {
  startTask({ kind, task, callbacks }) {
    if (kind === "started") return task.executor === "handler" ? TASKS : LEASES;
    // A new callback of a task that has ended gets its event now.
    return deliveriesIf(callbacks.length > 0 && task.finishedAt !== null);
  },
  claimRunnableTasks: nothing,
  retryTask: tasksIf,
  releaseTask: tasksIf,
  recordProgress: (result) => deliveriesIf((result?.deliveryCount ?? 0) > 0),
  emitProgressEvent: (result) => deliveriesIf((result?.deliveryCount ?? 0) > 0),
  finishTask: (ended) => deliveriesIf(hasPending(ended)),
  cancelTask: (ended) => deliveriesIf(hasPending(ended)),
  recoverInterrupted: ({ tasks, deliveries }) => [...tasksIf(tasks > 0), ...deliveriesIf(deliveries > 0)],

  claimWorkerTask: (task) => leasesIf(task !== null),
  // A lease may end earlier than before: a run has a time limit.
  renewLease: leasesIf,
  releaseLease: leasesIf,
  expireLease: leasesIf,
  prolongLeases: nothing,

  registerCallback(result) {
    if (result.kind !== "registered") return NOTHING;
    return deliveriesIf(result.ended !== null && result.callback.events.includes(result.ended));
  },
  unregisterCallback: nothing,
  enableCallback: (result) => deliveriesIf((result?.enabled?.resumedCount ?? 0) > 0),
  redeliver: (result) => deliveriesIf(result.kind === "redelivered" && result.deliveryIds.length > 0),
  // It releases claims that were kept over a short wait. Their deliveries are pending.
  rotateSecret: ({ kind }) => deliveriesIf(kind === "rotated" || kind === "unchanged"),

  claimDueDeliveries: nothing,
  continueClaim: nothing,
  recordAttempt: ({ claimWasCurrent, isHeld, isDueAgain, callbackChange }, { step }) =>
    deliveriesIf(
      isDueAgain === true ||
        hasResumed(callbackChange) ||
        (claimWasCurrent && isHeld !== true && step.status === "pending" && !step.keepClaim),
    ),
  releaseClaim: () => DELIVERIES,
  expireDeliveries: nothing,

  recordVerified: nothing,
  putSubscription(result) {
    if (result.kind === "limit") return NOTHING;
    if (result.kind === "created") return deliveriesIf(result.replayed > 0);
    // A refresh may release a claim that was kept over a short wait, and may bring the deadline of waiting deliveries forward.
    return DELIVERIES;
  },
  removeSubscription: nothing,
  revokeSubscriptions: nothing,

  pruneHistory: nothing,
  pruneSubscriptions: nothing,
  reencryptSecrets: nothing,
  recordReceived: nothing,
};

/** The rule of a verb: the queues in which a call has made something due. Null: the verb makes nothing due. */
export function dueWorkOf<Verb extends WriteVerb>(verb: Verb): DueWork<Verb> | null {
  const dueWork = DUE_WORK[verb] as DueWork<Verb>;
  return dueWork === nothing ? null : dueWork;
}

export const WRITE_VERBS = Object.keys(DUE_WORK) as readonly WriteVerb[];

/** Whether some of its deliveries wait for a claim. */
function hasPending(ended: FinishTaskResult | null): boolean {
  return ended !== null && ended.claimed.length < ended.deliveryCount;
}

function hasResumed(change: CallbackChange | undefined): boolean {
  return change?.status === "active" && change.resumedCount > 0;
}
