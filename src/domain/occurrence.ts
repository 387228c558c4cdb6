import type { EndEvent, EventName } from "./event.ts";

/** The most of a task's error that is told here: get_task_result has all of it. */
const ERROR_CHARS_MAX = 500;

/** An event as MCP Events shows it (SEP-3415, `EventOccurrence`). */
export interface Occurrence {
  readonly eventId: string;
  /** The one that was subscribed to, which `task_finished` is for any end. */
  readonly name: EventName;
  readonly timestamp: string;
  readonly data: { readonly [key: string]: string | number };
  readonly cursor?: string | null;
}

/** Ids, status and times: no result, and of an error its beginning, since whoever hears of an end may not be who reads the result. */
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

/** An emoji that is cut in two would be JSON that strict parsers refuse. */
function beginningOf(error: string): string {
  return error.slice(0, ERROR_CHARS_MAX).toWellFormed();
}
