import type { EndEvent, EventName } from "./event.ts";

/** The beginning of a task's error that is shown here; get_task_result shows all of it. */
const ERROR_CHARS_MAX = 500;

/** An event as MCP Events shows it (SEP-3415, `EventOccurrence`). */
export interface Occurrence {
  readonly eventId: string;
  /** The name that was subscribed to, which may be `task_finished`. */
  readonly name: EventName;
  readonly timestamp: string;
  readonly data: { readonly [key: string]: string | number };
  readonly cursor?: string | null;
}

/** Ids, status and times. It has no result, and only the beginning of an error: a receiver of events may not be allowed to read results. */
export function occurrenceOf(event: EndEvent, name: EventName): Occurrence {
  const { task_id, started_by, status, sequence, error } = event.data;
  const at = new Date(event.occurredAt).toISOString();
  return {
    eventId: event.id,
    name,
    timestamp: at,
    data: {
      task_id,
      started_by,
      status,
      ...(sequence === undefined ? {} : { sequence }),
      ...(error === undefined ? {} : { error: beginningOf(error) }),
      finished_at: at,
    },
  };
}

/** Half an emoji would be JSON that strict parsers refuse. */
function beginningOf(error: string): string {
  return error.slice(0, ERROR_CHARS_MAX).toWellFormed();
}
