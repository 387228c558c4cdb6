/** `mcp-callbacks/tasks`: everything that a module of task types needs. */
import { z } from "zod";
import type { Json } from "../../domain/json.ts";
import { DomainError } from "../../domain/errors.ts";
import { problemSentence } from "../../domain/schema-problems.ts";
import { PermanentError } from "../../service/ports/task-types.ts";
import type { JsonSchema, TaskContext, TaskType } from "../../service/ports/task-types.ts";

export { PermanentError };
export type { JsonSchema, TaskContext, TaskLog, TaskType } from "../../service/ports/task-types.ts";

/** A symbol of the whole process: a task type of a second copy of this package has it too. */
const DEFINED: unique symbol = Symbol.for("mcp-callbacks/defined-task");

const NAME = /^[A-Za-z0-9_./-]{1,100}$/;
/** The longest wait of setTimeout is 24.8 days. */
const TIMEOUT_MS_MAX = 24 * 86_400_000;
const RETRIES_MAX = 100;
const CONCURRENCY_MAX = 10_000;

/** A task type. `run` gets the input as `input` parsed it, and returns what `output` accepts. */
export interface TaskDefinition<Input extends z.ZodType, Output extends z.ZodType> {
  /** 1 to 100 of the characters A-Z a-z 0-9 _ . / - */
  readonly name: string;
  readonly title?: string;
  /** For the client that chooses a task type, often a model. */
  readonly description: string;
  /** The schema of a JSON object. */
  readonly input: Input;
  /** Left out: any JSON. */
  readonly output?: Output;
  /** A run that takes longer is aborted, and has failed. Left out: no limit. */
  readonly timeoutMs?: number;
  /** Retries after a failed run, with growing waits; none after a PermanentError. Left out: none. */
  readonly retries?: number;
  /** Runs of this type at once. Left out: only the limit for all types applies. */
  readonly concurrency?: number;
  /** The usual duration, shown to clients. */
  readonly expectedMs?: number;
  run(input: z.output<Input>, context: TaskContext): Promise<z.input<Output>> | z.input<Output>;
}

/** A task type that a module exports. The server reports its problems at start, all at once. */
export interface DefinedTask extends TaskType {
  readonly [DEFINED]: true;
  readonly problems: readonly string[];
}

export function defineTask<Input extends z.ZodType, Output extends z.ZodType = z.ZodUnknown>(
  definition: TaskDefinition<Input, Output>,
): DefinedTask {
  const { name, title = name, description, input, output } = definition;
  const { timeoutMs = null, retries = 0, concurrency = null, expectedMs = null } = definition;
  return {
    [DEFINED]: true,
    problems: problemsOf(definition),
    name,
    title,
    description,
    expectedMs,
    inputSchema: schemaOf(input, "input") ?? {},
    outputSchema: output === undefined ? null : schemaOf(output, "output"),
    timeoutMs,
    retries,
    concurrency,
    executor: "handler",
    parseInput(given) {
      const parsed = input.safeParse(objectOf(given));
      if (parsed.success) return given;
      const problems = problemSentence(parsed.error.issues, { root: "input" });
      throw new DomainError("invalid", `input does not fit the task type ${name}: ${problems}`);
    },
    parseOutput(returned) {
      if (output === undefined) return returned;
      const parsed = output.safeParse(returned);
      if (parsed.success) return parsed.data;
      const problems = problemSentence(parsed.error.issues, { root: "result" });
      throw new PermanentError(`The result does not fit the output schema: ${problems}`);
    },
    run: async (given, context) => definition.run(input.parse(objectOf(given)), context),
  };
}

export function isDefinedTask(value: unknown): value is DefinedTask {
  return typeof value === "object" && value !== null && DEFINED in value;
}

/** No input means an empty object. */
function objectOf(given: Json): Json {
  return given ?? {};
}

function problemsOf(definition: TaskDefinition<z.ZodType, z.ZodType>): string[] {
  const { name, description, input, output, timeoutMs, retries, concurrency, expectedMs, run } = definition;
  return [
    NAME.test(name) ? [] : "its name must be 1 to 100 of the characters A-Z a-z 0-9 _ . / -",
    typeof description === "string" && description !== "" ? [] : "it needs a description",
    typeof run === "function" ? [] : "run must be a function",
    inputProblemsOf(input),
    output === undefined || schemaOf(output, "output") !== null
      ? []
      : "output must be a zod schema that JSON Schema can express",
    numberProblemsOf("timeoutMs", timeoutMs, 1, TIMEOUT_MS_MAX),
    numberProblemsOf("retries", retries, 0, RETRIES_MAX),
    numberProblemsOf("concurrency", concurrency, 1, CONCURRENCY_MAX),
    numberProblemsOf("expectedMs", expectedMs, 0, Number.MAX_SAFE_INTEGER),
  ].flat();
}

function inputProblemsOf(input: z.ZodType): string[] {
  const schema = schemaOf(input, "input");
  if (schema === null) return ["input must be a zod schema that JSON Schema can express"];
  const isObject = schema["type"] === "object" || ["anyOf", "oneOf", "allOf"].some((keyword) => keyword in schema);
  return isObject ? [] : ["input must be a schema of an object, since clients give one"];
}

function numberProblemsOf(name: string, value: number | undefined, min: number, max: number): string[] {
  const isValid = value === undefined || (Number.isInteger(value) && min <= value && value <= max);
  return isValid ? [] : [`${name} must be a whole number from ${min} to ${max}`];
}

/** Null: `schema` is not a zod schema, or JSON Schema cannot express it. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema | null {
  try {
    const { $schema: _dialect, ...keywords } = z.toJSONSchema(schema, { target: "draft-2020-12", io });
    return keywords;
  } catch {
    return null;
  }
}
