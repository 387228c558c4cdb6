import type { Task } from "../domain/task.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { SlotReservation } from "./ports/delivery-store.ts";
import type { EventFeed } from "./event-feed.ts";
import type { FinishTaskResult } from "./ports/store.ts";

export interface TaskEndNeeds {
  readonly emit: Emit;
  readonly feed: EventFeed;
  /** For what the end of a task owes. */
  readonly openReservation: () => SlotReservation;
}

/** A verb of the store that ends a task; null: it did not. */
export type EndTask = (reservation: SlotReservation) => Promise<FinishTaskResult | null>;

/** What is done around a task's end, whoever ends it: what it owes is sent as soon as it is on disk and told. */
export function createTaskEnd({ emit, feed, openReservation }: TaskEndNeeds) {
  function tell({ id, principal, taskId }: Task, { event, deliveryCount }: FinishTaskResult): void {
    const { status } = event.data;
    emit({ kind: "task.finished", taskId, status, eventId: event.id, deliveryCount });
    feed.publish({ principal, task: id, event });
  }

  return async (task: Task, verb: EndTask): Promise<FinishTaskResult | null> => {
    const reservation = openReservation();
    try {
      const ended = await verb(reservation);
      if (ended !== null) tell(task, ended);
      return ended;
    } finally {
      reservation.close();
    }
  };
}
