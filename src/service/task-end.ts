import type { Task } from "../domain/task.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { ReserveSlot, SlotReservation } from "./ports/delivery-store.ts";
import type { EventFeed } from "./event-feed.ts";
import type { FinishTaskResult } from "./ports/task-store.ts";

export interface TaskEndNeeds {
  readonly emit: Emit;
  readonly feed: EventFeed;
  /** For the deliveries of one task's end. */
  readonly openReservation: () => SlotReservation;
}

/** A verb of the store that ends a task; null: it did not. */
export type EndTask = (reserveSlot: ReserveSlot) => Promise<FinishTaskResult | null>;

/** What every end of a task brings about: it is announced, and its deliveries are sent as soon as it is on disk. */
export function createTaskEnd({ emit, feed, openReservation }: TaskEndNeeds) {
  function announce({ id, principal, taskId }: Task, { event, deliveryCount }: FinishTaskResult): void {
    const { status } = event.data;
    emit({ kind: "task.finished", taskId, status, eventId: event.id, deliveryCount });
    feed.publish({ principal, task: id, event });
  }

  return async (task: Task, verb: EndTask): Promise<FinishTaskResult | null> => {
    const reservation = openReservation();
    let ended: FinishTaskResult | null = null;
    try {
      ended = await verb(reservation.reserve);
      if (ended !== null) announce(task, ended);
      return ended;
    } finally {
      if (ended !== null) reservation.committed(ended.claimed);
      reservation.release();
    }
  };
}
