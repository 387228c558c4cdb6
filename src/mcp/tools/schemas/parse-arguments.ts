import type { z } from "zod";
import { DomainError } from "../../../domain/errors.ts";
import { converted } from "./argument-conversion.ts";
import { problemsOf } from "./arguments.ts";
import { objectSchemaOf } from "./object-schema.ts";

const ARGUMENTS_MAX = 1000;

/** What some clients add to the arguments of every tool: n8n and its like, Cline, Cursor. */
const ADDED_BY_CLIENTS: readonly string[] = ["toolCallId", "sessionId", "task_progress", "random_string"];

/** Hears which arguments of a call were left out of account. */
export type NoteIgnored = (names: readonly string[]) => void;

/** The one way from what a client sends to what a tool is asked. Throws `invalid` with what is wrong. */
export function parseArguments<Input extends z.ZodObject>(
  input: Input,
  given: unknown,
  noteIgnored: NoteIgnored,
): z.output<Input> {
  requireFew(given);
  // Nearly all calls fit as they are.
  const asGiven = input.safeParse(given);
  if (asGiven.success) return asGiven.data;
  const { kept, ignored } = withoutAdded(Object(given), input);
  if (ignored.length > 0) noteIgnored(ignored);
  const parsed = input.safeParse(converted(kept, objectSchemaOf(input)), { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new DomainError("invalid", problemsOf(parsed.error));
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
