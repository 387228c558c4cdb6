import { z } from "zod";
import type { Clock } from "../../service/ports/clock.ts";
import type { JsonSchema, TaskType } from "../../service/ports/task-types.ts";
import type { Tasks } from "../../service/tasks.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Lists the task types with the JSON Schemas of their input and result.",
  "Call it before you choose task_type and input.",
].join(" ");

/** Unchecked: a JSON Schema may have any keyword. */
const jsonSchema: z.ZodType<JsonSchema> = z.any().meta({ type: "object", additionalProperties: true });
const optionalSchema: z.ZodType<JsonSchema | null> = z
  .any()
  .meta({ anyOf: [{ type: "object", additionalProperties: true }, { type: "null" }] });

const output = z.object({
  task_types: z.array(
    z.object({
      task_type: z.string(),
      title: z.string(),
      description: z.string(),
      input_schema: jsonSchema.describe("JSON Schema (2020-12) of `input`."),
      output_schema: optionalSchema.describe("JSON Schema (2020-12) of the result; null: any JSON."),
      expected_ms: z.number().describe("How long a run usually takes; null: unknown.").nullable(),
      timeout_ms: z.number().describe("A run that takes longer fails; null: no limit.").nullable(),
      retries: count.describe("How often a failed run is repeated."),
      concurrency: count.nullable().describe("How many run at the same time. Null: as many as this server runs."),
      done_by: z
        .enum(["handler", "worker"])
        .describe("handler: this server. worker: a program outside that asks for work."),
    }),
  ),
  timestamp,
});

export function createListTaskTypes({
  tasks,
  clock,
}: {
  readonly tasks: Tasks;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "list_task_types",
    title: "List task types",
    description: DESCRIPTION,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    input: z.strictObject({}),
    output,
    async answer() {
      const types = await tasks.types();
      return { task_types: types.map(presentTaskType), timestamp: timestampOf(clock) };
    },
  });
}

function presentTaskType(type: TaskType) {
  const { name, title, description, inputSchema, outputSchema, expectedMs, timeoutMs, retries, concurrency } = type;
  return {
    task_type: name,
    title,
    description,
    input_schema: inputSchema,
    output_schema: outputSchema,
    expected_ms: expectedMs,
    timeout_ms: timeoutMs,
    retries,
    concurrency,
    done_by: type.executor,
  };
}
