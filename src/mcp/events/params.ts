import { z } from "zod";
import { EVENT_NAMES } from "../../domain/event.ts";
import type { EventName } from "../../domain/event.ts";
import { EventsError, invalidParam } from "../../domain/events-error.ts";
import { isClientGivenId } from "../../domain/ids.ts";

/** A whole number of milliseconds. */
const milliseconds = z.int().min(0);

/** Null counts as absent: clients that write every member of an inputSchema have nothing else to write. */
const args = z.strictObject({ task_id: z.string().refine(isClientGivenId).nullish() });

/** Not strict: unknown members are ignored. */
const common = {
  name: z.string().min(1),
  arguments: z.unknown().optional(),
  cursor: z.string().nullish(),
  maxAgeMs: milliseconds.nullish(),
};

export const pollParams = z.object({ ...common, maxEvents: z.int().min(1).nullish() });
export const streamParams = z.object(common);
export const subscribeParams = z.object({
  ...common,
  delivery: z.object({ mode: z.string().nullish(), url: z.string(), secret: z.string() }),
  // Any number: it is clamped.
  ttlMs: z.number().nullish(),
});
/** Loose: a client must be able to remove a subscription whose event or arguments are no longer valid. */
export const unsubscribeParams = z.object({
  name: z.string().min(1),
  arguments: z.unknown().optional(),
  delivery: z.object({ url: z.string() }),
});
export const listParams = z.object({ cursor: z.string().nullish() });

/** Throws an EventsError InvalidParams that names the member and never its value. */
export function parse<Schema extends z.ZodType>(schema: Schema, params: unknown): z.output<Schema> {
  const parsed = schema.safeParse(params ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalidParam(z.core.toDotPath(issue?.path ?? []) || "params", reasonOf(issue));
}

/** As `parse`, but an unknown event is reported first (NotFound), whatever else is wrong. */
export function parseNamed<Schema extends z.ZodType>(schema: Schema, params: unknown): z.output<Schema> {
  const named = z.object({ name: z.string().min(1) }).safeParse(params);
  if (named.success) eventNameOf(named.data.name);
  return parse(schema, params);
}

function eventNameOf(given: string): EventName {
  const name = EVENT_NAMES.find((one) => one === given);
  if (name === undefined) throw new EventsError("NotFound", { kind: "event" });
  return name;
}

/** The event and the task that a request selects. Throws an EventsError for an unknown event or arguments that do not fit. */
export function selectionOf(given: { readonly name: string; readonly arguments?: unknown }): {
  readonly name: EventName;
  readonly taskId: string | null;
} {
  const name = eventNameOf(given.name);
  const parsed = args.safeParse(given.arguments ?? {});
  if (parsed.success) return { name, taskId: parsed.data.task_id ?? null };
  const [issue] = parsed.error.issues;
  throw invalidParam(z.core.toDotPath(["arguments", ...(issue?.path ?? [])]), reasonOf(issue));
}

/** The task of a subscription with these arguments (null: any task); undefined: no subscription has such arguments. */
export function taskIdIn(given: unknown): string | null | undefined {
  const parsed = z.strictObject({ task_id: z.string().nullish() }).safeParse(given ?? {});
  return parsed.success ? (parsed.data.task_id ?? null) : undefined;
}

function reasonOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "unrecognized_keys") return "undeclared";
  return issue?.code === "invalid_type" ? "wrong_type" : "invalid";
}
