import type { Task } from "../domain/task.ts";
import type { ReserveSlot, SlotReservation } from "./ports/delivery-store.ts";
import type { FinishTaskResult } from "./ports/task-store.ts";
import type { Emit } from "./ports/telemetry.ts";

export interface TaskEndParts {
  readonly emit: Emit;
  /** For the deliveries of one task's end. */
  readonly openReservation: () => SlotReservation;
}

/** A verb of the store that ends a task; null: it did not end it. */
export type EndTask = (reserveSlot: ReserveSlot) => Promise<FinishTaskResult | null>;

/** Ends a task by a verb of the store, and sends the deliveries that have a slot as soon as the end is on disk. */
export type TaskEnd = (task: Task, verb: EndTask) => Promise<FinishTaskResult | null>;

export function createTaskEnd({ emit, openReservation }: TaskEndParts): TaskEnd {
  return async ({ principal, taskId }, verb) => {
    const reservation = openReservation();
    try {
      const ended = await verb(reservation.reserve);
      if (ended === null) return null;
      const { event, deliveryCount, claimed } = ended;
      const { id: eventId, data } = event;
      emit({ kind: "task.finished", principal, taskId, status: data.status, eventId, deliveryCount });
      reservation.committed(claimed);
      return ended;
    } finally {
      reservation.release();
    }
  };
}
