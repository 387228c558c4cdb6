import { and, eq, sql } from "../engine/drizzle.ts";
import { eventDataOf, eventTypeOf } from "../../../domain/event.ts";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { Task, TaskOutcome } from "../../../domain/task.ts";
import type { ReserveSlot } from "../../../service/ports/delivery-store.ts";
import type { CancelTask, FinishTask, FinishTaskResult, TaskStore } from "../../../service/ports/task-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareUseOfCompletion } from "./completions.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareEventInsert } from "../events/event-log.ts";
import { fanOutEventColumns, prepareFanOut } from "../deliveries/fan-out.ts";
import type { EnqueueDelivery } from "../deliveries/fan-out.ts";
import { prepareSupersede } from "./progress.ts";
import { toEventTypes } from "../schema/rows.ts";
import { prepareSubscriptionOutbox } from "../subscriptions/fan-out.ts";
import { callbackIsRegistered, taskIsOpen } from "../schema/conditions.ts";
import { callbacks, counters, tasks } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

type TaskEndVerbs = Pick<TaskStore, "finishTask" | "cancelTask">;
type EndedTask = Pick<Task, "id" | "principal" | "taskId" | "clientId"> & { readonly eventCount: number };

const bound = sql.placeholder;

export function taskEndVerbs({ db, write }: SqliteConnection, newId: NewId, cipher: SecretCipher): TaskEndVerbs {
  const statements = { ...prepareEnds(db), ...prepareNews(db) };
  const openFanOut = prepareFanOut(db, newId, cipher);
  const completions = prepareUseOfCompletion(db);
  const supersedeProgress = prepareSupersede(db);
  const tellSubscriptions = prepareSubscriptionOutbox(db);

  function finish({ id, outcome, now, right }: FinishTask, reserveSlot?: ReserveSlot): FinishTaskResult | null {
    if (right?.kind === "completion" && !completions.isUsable(right.digest, now)) return null;
    const lease = {
      leaseDigest: right?.kind === "lease" ? right.leaseDigest : null,
      lapsedAt: right?.kind === "lapse" ? right.leaseUntil : null,
    };
    const task = statements.finish.get({ id, now, ...lease, ...endColumns(outcome) });
    if (task === undefined) return null;
    if (right?.kind === "completion") completions.use(right.digest, now);
    return tell(task, outcome, now, reserveSlot);
  }

  function cancel({ id, error, now }: CancelTask, reserveSlot?: ReserveSlot): FinishTaskResult | null {
    const outcome = { status: "cancelled", error } as const;
    const task = statements.cancel.get({ id, now, ...endColumns(outcome) });
    return task === undefined ? null : tell(task, outcome, now, reserveSlot);
  }

  /** What every end brings about, in the transaction that ends the task. */
  function tell(task: EndedTask, outcome: TaskOutcome, now: number, reserveSlot?: ReserveSlot): FinishTaskResult {
    const event: EndEvent = {
      id: newId("evt"),
      type: eventTypeOf(outcome.status),
      occurredAt: now,
      data: eventDataOf(task, outcome, task.eventCount),
    };
    // Nothing is told of how far it was once it has ended.
    if (task.eventCount > 1) supersedeProgress(task.id, now);
    const data = JSON.stringify(event.data);
    const { seq } = statements.insertEvent.get({ ...event, principal: task.principal, task: task.id, data });
    if (outcome.status === "completed") statements.countCompleted.run();
    const { enqueueDelivery, fanOut } = openFanOut(event, data, now, reserveSlot);
    tellCallbacks(task, event, enqueueDelivery);
    tellSubscriptions(task, { seq, event }, now, enqueueDelivery);
    return { principal: task.principal, event, ...fanOut };
  }

  function tellCallbacks({ principal, taskId }: EndedTask, event: Event, enqueueDelivery: EnqueueDelivery): void {
    statements.awaitEnd
      .all({ principal, taskId })
      .filter((callback) => toEventTypes(callback.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1))
      .forEach((callback) => enqueueDelivery(callback));
  }

  /** A run after a rollback reserves no slots: its deliveries are pending and due. */
  function end(
    work: (reserveSlot: ReserveSlot | undefined) => FinishTaskResult | null,
    reserveSlot: ReserveSlot | undefined,
  ): Promise<FinishTaskResult | null> {
    let reserveInThisRun = reserveSlot;
    return write(() => {
      const reserve = reserveInThisRun;
      reserveInThisRun = undefined;
      return work(reserve);
    });
  }

  return {
    finishTask: (command) => end((reserveSlot) => finish(command, reserveSlot), command.reserveSlot),
    cancelTask: (command) => end((reserveSlot) => cancel(command, reserveSlot), command.reserveSlot),
  };
}

function endColumns(outcome: TaskOutcome) {
  return outcome.status === "completed"
    ? { status: outcome.status, result: JSON.stringify(outcome.result), error: null }
    : { status: outcome.status, result: null, error: outcome.error };
}

/** The statements that change the row itself, each only from the states it may come from. */
function prepareEnds(db: SqliteConnection["db"]) {
  const end = {
    status: sql`${bound("status")}`,
    result: sql`${bound("result")}`,
    error: sql`${bound("error")}`,
    finishedAt: sql`${bound("now")}`,
    eventCount: sql`${tasks.eventCount} + 1`,
  };
  const { id, principal, taskId, clientId, eventCount } = tasks;
  const ended = { id, principal, taskId, clientId, eventCount };
  const rightHolds = sql`(${bound("leaseDigest")} is null
    or (${tasks.leaseDigest} = +${bound("leaseDigest")} and ${tasks.leaseUntil} > ${bound("now")}))
    and (${bound("lapsedAt")} is null or ${tasks.leaseUntil} = +${bound("lapsedAt")})`;
  return {
    finish: db
      .update(tasks)
      .set(end)
      .where(and(equals(tasks.id, "id"), eq(tasks.status, sql.raw("'running'")), rightHolds))
      .returning(ended)
      .prepare(),
    cancel: db
      .update(tasks)
      .set(end)
      .where(and(equals(tasks.id, "id"), taskIsOpen))
      .returning(ended)
      .prepare(),
  };
}

/** The event, and which callbacks stop waiting for it. */
function prepareNews(db: SqliteConnection["db"]) {
  // One that is disabled for failing may come back, and is then owed what happened meanwhile.
  const isOwedTheEnd = sql`${callbacks.awaitsTask} = 1
    and (${callbacks.status} = 'active' or (${callbacks.status} = 'disabled' and ${callbacks.disabledReason} = 'failing'))`;
  return {
    insertEvent: prepareEventInsert(db),
    awaitEnd: db
      .update(callbacks)
      .set({ awaitsTask: false })
      .where(
        and(
          equals(callbacks.principal, "principal"),
          equals(callbacks.taskId, "taskId"),
          callbackIsRegistered,
          isOwedTheEnd,
        ),
      )
      .returning({ ...fanOutEventColumns, events: callbacks.events })
      .prepare(),
    countCompleted: db
      .insert(counters)
      .values({ name: "completed_tasks", value: 1 })
      .onConflictDoUpdate({ target: counters.name, set: { value: sql`${counters.value} + 1` } })
      .prepare(),
  };
}
