/** What `mcp-callbacks/tasks` is: everything a module of task types needs. */
import { z } from "zod";
import type { Json } from "../../domain/json.ts";
import { DomainError } from "../../domain/errors.ts";
import { problemSentence } from "../../domain/schema-problems.ts";
import { PermanentError } from "../../service/ports/task-types.ts";
import type { JsonSchema, TaskContext, TaskType } from "../../service/ports/task-types.ts";

export { PermanentError };
export type { JsonSchema, TaskContext, TaskLog, TaskType } from "../../service/ports/task-types.ts";

/** By a symbol of the whole process, so that a second copy of this package is understood too. */
const DEFINED: unique symbol = Symbol.for("mcp-callbacks/defined-task");

const NAME = /^[A-Za-z0-9_./-]{1,100}$/;
/** setTimeout cannot wait longer. */
const TIMEOUT_MS_MAX = 24 * 86_400_000;
const RETRIES_MAX = 100;
const CONCURRENCY_MAX = 10_000;

/** A kind of work. `run` is called with what `input` made of the input, and gives what `output` takes. */
export interface TaskDefinition<Input extends z.ZodType, Output extends z.ZodType> {
  /** What clients call it: 1 to 100 of A-Z a-z 0-9 _ . / - */
  readonly name: string;
  readonly title?: string;
  /** For the one who chooses among the types, often a model. */
  readonly description: string;
  /** Of a JSON object. */
  readonly input: Input;
  /** Left out: any JSON. */
  readonly output?: Output;
  /** A run that takes longer is aborted and has failed. Left out: no limit. */
  readonly timeoutMs?: number;
  /** Further runs after one that failed, with growing waits between them; never after a PermanentError. Left out: none. */
  readonly retries?: number;
  /** Runs at once of this type. Left out: only the bound for all. */
  readonly concurrency?: number;
  /** How long it usually takes, as clients are told. */
  readonly expectedMs?: number;
  run(input: z.output<Input>, context: TaskContext): Promise<z.input<Output>> | z.input<Output>;
}

/** A task type as it comes out of a module; what is wrong with it is told when the server starts, all at once. */
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
      throw new DomainError(
        "invalid",
        `input does not fit the task type ${name}: ${problemSentence(parsed.error.issues, { root: "input" })}`,
      );
    },
    parseOutput(returned) {
      if (output === undefined) return returned;
      const parsed = output.safeParse(returned);
      if (parsed.success) return parsed.data;
      throw new PermanentError(
        `The result does not fit the output schema: ${problemSentence(parsed.error.issues, { root: "result" })}`,
      );
    },
    run: async (given, context) => definition.run(input.parse(objectOf(given)), context),
  };
}

export function isDefinedTask(value: unknown): value is DefinedTask {
  return typeof value === "object" && value !== null && DEFINED in value;
}

/** A client that gives no input means one in which everything is left out. */
function objectOf(given: Json): Json {
  return given ?? {};
}

function problemsOf(definition: TaskDefinition<z.ZodType, z.ZodType>): string[] {
  const { name, description, input, output, timeoutMs, retries, concurrency, expectedMs, run } = definition;
  return [
    NAME.test(name) ? [] : "its name must be 1 to 100 of the characters A-Z a-z 0-9 _ . / -",
    typeof description === "string" && description !== "" ? [] : "it needs a description",
    typeof run === "function" ? [] : "run must be a function",
    inputProblemOf(input),
    output === undefined || schemaOf(output, "output") !== null
      ? []
      : "output must be a zod schema that JSON Schema can express",
    problemOfNumber("timeoutMs", timeoutMs, 1, TIMEOUT_MS_MAX),
    problemOfNumber("retries", retries, 0, RETRIES_MAX),
    problemOfNumber("concurrency", concurrency, 1, CONCURRENCY_MAX),
    problemOfNumber("expectedMs", expectedMs, 0, Number.MAX_SAFE_INTEGER),
  ].flat();
}

function inputProblemOf(input: z.ZodType): string[] {
  const schema = schemaOf(input, "input");
  if (schema === null) return ["input must be a zod schema that JSON Schema can express"];
  const isOfObjects = schema["type"] === "object" || ["anyOf", "oneOf", "allOf"].some((keyword) => keyword in schema);
  return isOfObjects ? [] : ["input must be a schema of an object, since clients give one"];
}

function problemOfNumber(what: string, value: number | undefined, lowest: number, highest: number): string[] {
  const isFine = value === undefined || (Number.isInteger(value) && lowest <= value && value <= highest);
  return isFine ? [] : [`${what} must be a whole number from ${lowest} to ${highest}`];
}

/** Null: it is no schema, or one that JSON Schema cannot express. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema | null {
  try {
    const { $schema: _dialect, ...keywords } = z.toJSONSchema(schema, { target: "draft-2020-12", io });
    return keywords;
  } catch {
    return null;
  }
}
