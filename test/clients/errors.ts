/** The five errors that every client is asked to show. */
export type ErrorName = "unknown tool" | "unknown argument" | "missing argument" | "not found" | "conflict";

export interface AskedError {
  readonly name: ErrorName;
  readonly tool: string;
  readonly given: Readonly<Record<string, unknown>>;
  /** Null: a JSON-RPC error instead of a tool's. */
  readonly code: string | null;
  readonly sentence: string;
}

/** Of a task `task_id` that was started by another client. */
export function errorsToAsk(task_id: string): readonly AskedError[] {
  return [
    {
      name: "unknown tool",
      tool: "no_such_tool",
      given: {},
      code: null,
      sentence: "Unknown tool: no_such_tool",
    },
    {
      name: "unknown argument",
      tool: "get_task_result",
      given: { task_id, colour: "red" },
      code: "invalid",
      sentence: 'unknown argument "colour", leave it out.',
    },
    {
      name: "missing argument",
      tool: "get_task_result",
      given: {},
      code: "invalid",
      sentence: "task_id is missing, give a string.",
    },
    {
      name: "not found",
      tool: "get_task_result",
      given: { task_id: "never_started" },
      code: "not_found",
      sentence:
        "Task never_started is unknown: never started, or ended long ago and removed. Start it with start_task_with_callbacks, or check the task_id.",
    },
    {
      name: "conflict",
      tool: "start_task_with_callbacks",
      given: { task_id, client_id: "another_client" },
      code: "conflict",
      sentence: `Task ${task_id} was already started with another client_id; use a new task_id for new work.`,
    },
  ];
}
