import { and, eq, sql } from "../engine/drizzle.ts";
import { isEnqueuedFor } from "../../../domain/callback-state.ts";
import { eventDataOf, eventTypeOf } from "../../../domain/event.ts";
import type { EndEvent, Event } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { Task, TaskOutcome } from "../../../domain/task.ts";
import type { ReserveSlot } from "../../../service/ports/delivery-store.ts";
import type { CancelTask, FinishTask, FinishTaskResult, TaskStore } from "../../../service/ports/task-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareGrants } from "./grants.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareEventInsert } from "../events/event-log.ts";
import { fanOutEventColumns, prepareFanOut } from "../deliveries/fan-out.ts";
import type { EnqueueDelivery } from "../deliveries/fan-out.ts";
import { prepareSupersede } from "../deliveries/state.ts";
import { callbackIsOfTask, toEventTypes } from "../callbacks/rows.ts";
import { prepareSubscriptionFanOut } from "../subscriptions/fan-out.ts";
import { taskIsOpen } from "../schema/conditions.ts";
import { callbacks, counters, tasks } from "../schema/tables.ts";
import { equals } from "../engine/parameters.ts";

type TaskEndVerbs = Pick<TaskStore, "finishTask" | "cancelTask">;
type EndedRow = Pick<Task, "id" | "principal" | "taskId" | "clientId"> & { readonly eventCount: number };

const bound = sql.placeholder;

export function taskEndVerbs({ db, write }: SqliteConnection, newId: NewId, cipher: SecretCipher): TaskEndVerbs {
  const statements = { ...prepareEnds(db), ...prepareEffectsOfEnd(db) };
  const beginFanOut = prepareFanOut(db, newId, cipher);
  const grants = prepareGrants(db);
  const supersedeProgress = prepareSupersede(db);
  const enqueueForSubscriptions = prepareSubscriptionFanOut(db);

  function finish({ id, outcome, now, grant }: FinishTask, reserveSlot?: ReserveSlot): FinishTaskResult | null {
    if (grant !== undefined && !grants.allows(id, grant, now)) return null;
    const task = statements.finish.get({ id, now, ...endColumns(outcome) });
    if (task === undefined) return null;
    grants.use(grant, now);
    return recordEnd(task, outcome, now, reserveSlot);
  }

  function cancel({ id, error, now }: CancelTask, reserveSlot?: ReserveSlot): FinishTaskResult | null {
    const outcome = { status: "cancelled", error } as const;
    const task = statements.cancel.get({ id, now, ...endColumns(outcome) });
    return task === undefined ? null : recordEnd(task, outcome, now, reserveSlot);
  }

  /** The event and its deliveries, in the transaction that ends the task. */
  function recordEnd(task: EndedRow, outcome: TaskOutcome, now: number, reserveSlot?: ReserveSlot): FinishTaskResult {
    const event: EndEvent = {
      id: newId("evt"),
      type: eventTypeOf(outcome.status),
      occurredAt: now,
      data: eventDataOf(task, outcome, task.eventCount),
    };
    // An event before this one is of progress, which the end supersedes.
    if (task.eventCount > 1) supersedeProgress(task.id, now);
    const data = JSON.stringify(event.data);
    const { seq } = statements.insertEvent.get({ ...event, principal: task.principal, task: task.id, data });
    if (outcome.status === "completed") statements.countCompleted.run();
    const { enqueueDelivery, fanOut } = beginFanOut(event, data, now, reserveSlot);
    enqueueForCallbacks(task, event, enqueueDelivery);
    enqueueForSubscriptions(task, { seq, event }, now, enqueueDelivery);
    return { principal: task.principal, event, ...fanOut };
  }

  function enqueueForCallbacks({ principal, taskId }: EndedRow, event: Event, enqueueDelivery: EnqueueDelivery): void {
    statements.takeWaitingCallbacks
      .all({ principal, taskId })
      .filter((callback) => isEnqueuedFor(callback) && toEventTypes(callback.events).includes(event.type))
      .toSorted((left, right) => (left.id < right.id ? -1 : 1))
      .forEach((callback) => enqueueDelivery(callback));
  }

  /** A transaction that is repeated after a rollback reserves no slots. Its deliveries are pending and due. */
  function end(
    work: (reserveSlot: ReserveSlot | undefined) => FinishTaskResult | null,
    { reserveSlot, principal }: Pick<FinishTask, "reserveSlot" | "principal">,
  ): Promise<FinishTaskResult | null> {
    let reserveInThisRun = reserveSlot;
    const run = (): FinishTaskResult | null => {
      const reserve = reserveInThisRun;
      reserveInThisRun = undefined;
      return work(reserve);
    };
    return write(run, "durable", principal);
  }

  return {
    finishTask: (command) => end((reserveSlot) => finish(command, reserveSlot), command),
    cancelTask: (command) => end((reserveSlot) => cancel(command, reserveSlot), command),
  };
}

function endColumns(outcome: TaskOutcome) {
  return outcome.status === "completed"
    ? { status: outcome.status, result: JSON.stringify(outcome.result), error: null }
    : { status: outcome.status, result: null, error: outcome.error };
}

/** The statements that end the task, each on condition of the states that it may come from. */
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
  return {
    finish: db
      .update(tasks)
      .set(end)
      .where(and(equals(tasks.id, "id"), eq(tasks.status, sql.raw("'running'"))))
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

/** The event, the callbacks that have waited for it, and the count of completed tasks. */
function prepareEffectsOfEnd(db: SqliteConnection["db"]) {
  return {
    insertEvent: prepareEventInsert(db),
    takeWaitingCallbacks: db
      .update(callbacks)
      .set({ awaitsTask: false })
      .where(and(callbackIsOfTask, sql`${callbacks.awaitsTask} = 1`))
      .returning({ ...fanOutEventColumns, events: callbacks.events, disabledReason: callbacks.disabledReason })
      .prepare(),
    countCompleted: db
      .insert(counters)
      .values({ name: "completed_tasks", value: 1 })
      .onConflictDoUpdate({ target: counters.name, set: { value: sql`${counters.value} + 1` } })
      .prepare(),
  };
}
