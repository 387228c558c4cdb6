import type { Json } from "../../domain/json.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskType } from "../../service/ports/task-types.ts";

/**
 * Sleeps for `workMs` and ends with a constant result. With the input `{ "fail": "<reason>" }` it fails with that reason, so that a
 * newcomer can see a `task_failed`.
 */
export function createDemoTask({ clock, workMs }: { readonly clock: Clock; readonly workMs: number }): TaskType {
  return {
    name: "demo",
    title: "Demo",
    description: "Works for a while and ends with a constant result.",
    expectedMs: workMs,
    inputSchema: {
      type: "object",
      properties: { fail: { type: "string", description: "Makes the task fail, for this reason." } },
      additionalProperties: true,
    },
    outputSchema: { type: "string" },
    timeoutMs: null,
    retries: 0,
    concurrency: null,
    executor: "handler",
    parseInput: (input) => input,
    parseOutput: (output) => output,
    async run(input, { taskId, signal }) {
      await clock.sleep(workMs, signal);
      signal.throwIfAborted();
      const reason = requestedFailure(input);
      if (reason !== null) throw new Error(reason);
      return `Task ${taskId} completed successfully with data: [processed_data_123]`;
    },
  };
}

function requestedFailure(input: Json): string | null {
  if (input === null || typeof input !== "object" || !("fail" in input)) return null;
  return typeof input.fail === "string" ? input.fail : "The demo was asked to fail.";
}
