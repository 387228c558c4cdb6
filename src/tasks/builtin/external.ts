import type { TaskType } from "../../service/ports/task-types.ts";

/** Work that is done outside: by a worker that claims it over HTTP, or through the completion URL of the task. */
export const externalTask: TaskType = {
  name: "external",
  title: "Work done outside",
  description: "Done outside: by a worker that claims it over HTTP, or through its completion URL. Takes any input.",
  expectedMs: null,
  inputSchema: { type: "object", additionalProperties: true },
  outputSchema: null,
  timeoutMs: null,
  retries: 0,
  concurrency: null,
  executor: "worker",
  parseInput: (input) => input,
  parseOutput: (output) => output,
  async run() {
    throw new Error("A task that is done outside came to the runner.");
  },
};
