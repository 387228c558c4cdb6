import type { z } from "zod";
import { DomainError } from "../../../domain/errors.ts";
import { problemSentence } from "../../../domain/schema-problems.ts";
import { converted } from "./argument-conversion.ts";
import { objectSchemaOf } from "./object-schema.ts";
import type { ObjectSchema } from "./object-schema.ts";

const ARGUMENTS_MAX = 1000;

/** Some clients add these to the arguments of every tool: n8n, Cline, Cursor and others. */
const ADDED_BY_CLIENTS: readonly string[] = ["toolCallId", "sessionId", "task_progress", "random_string"];

/** Called with the names of the arguments that a call has and that are ignored. */
export type OnIgnored = (names: readonly string[]) => void;

/** The arguments of one tool. */
export interface ToolArguments<Input extends z.ZodObject> {
  /** The tool's inputSchema. Made at the first call. */
  schema(): ObjectSchema;
  /** Throws a `DomainError` `invalid` that names each problem. */
  parse(given: unknown, onIgnored: OnIgnored): z.output<Input>;
}

/** `input`: strict, so that a misspelt optional argument is an error. */
export function createToolArguments<Input extends z.ZodObject>(input: Input): ToolArguments<Input> {
  let made: ObjectSchema | undefined;
  const schema = (): ObjectSchema => (made ??= objectSchemaOf(input));
  return {
    schema,
    parse(given, onIgnored) {
      requireFew(given);
      // Nearly all calls fit as they are.
      const asGiven = input.safeParse(given);
      if (asGiven.success) return asGiven.data;
      const { kept, ignored } = withoutAdded(Object(given), input);
      if (ignored.length > 0) onIgnored(ignored);
      const parsed = input.safeParse(converted(kept, schema()));
      if (parsed.success) return parsed.data;
      throw new DomainError("invalid", problemSentence(parsed.error.issues, { key: "argument" }));
    },
  };
}

function requireFew(given: unknown): void {
  const count = Object.keys(Object(given)).length;
  if (count > ARGUMENTS_MAX)
    throw new DomainError("invalid", `A call has at most ${ARGUMENTS_MAX} arguments; this one has ${count}.`);
}

function withoutAdded(given: object, { shape }: z.ZodObject) {
  const ignored = ADDED_BY_CLIENTS.filter((name) => Object.hasOwn(given, name) && !Object.hasOwn(shape, name));
  const kept = Object.fromEntries(Object.entries(given).filter(([name]) => !ignored.includes(name)));
  return { kept, ignored };
}
