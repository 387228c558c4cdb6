import type { Json } from "../../domain/json.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskContext, TaskType } from "../../service/ports/task-types.ts";

const FAILING_JOB_MS = 1000;

/** The task types of the official conformance suite. A tool of the same name starts each: `src/mcp/fixtures/tasks.ts`. */
export function createFixtureTasks({ clock }: { readonly clock: Clock }): TaskType[] {
  async function work(ms: number, { signal }: TaskContext): Promise<void> {
    await clock.sleep(ms, signal);
    signal.throwIfAborted();
  }

  return [
    taskType("slow_compute", async (input, context) => {
      const seconds = secondsIn(input);
      await work(seconds * 1000, context);
      return `Computed for ${seconds} s.`;
    }),
    taskType("failing_job", async (_input, context) => {
      await work(FAILING_JOB_MS, context);
      throw new Error("This job always fails.");
    }),
    taskType("protocol_error_job", async () => {
      throw new Error("This job breaks off.");
    }),
    taskType("confirm_delete", async () => "Nothing was deleted: no task of this server asks for a confirmation."),
  ];
}

function taskType(name: string, run: TaskType["run"]): TaskType {
  return {
    name,
    title: name,
    description: "What the conformance suite wants run.",
    expectedMs: null,
    inputSchema: { type: "object", additionalProperties: true },
    outputSchema: null,
    timeoutMs: null,
    retries: 0,
    concurrency: null,
    executor: "handler",
    parseInput: (input) => input,
    parseOutput: (output) => output,
    run,
  };
}

function secondsIn(input: Json): number {
  const isObject = input !== null && typeof input === "object" && "seconds" in input;
  return isObject && typeof input.seconds === "number" ? input.seconds : 0;
}
