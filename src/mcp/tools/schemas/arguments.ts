import { z } from "zod";
import { parseIsoTime } from "../../../domain/iso-time.ts";
import { CALLBACK_URL_CHARS_MAX } from "../../../domain/callback.ts";
import { CLIENT_GIVEN_ID_CHARS_MAX, isClientGivenId } from "../../../domain/ids.ts";
import type { Json } from "../../../domain/json.ts";

/** How much of a wrong value an error repeats. */
const VALUE_CHARS_MAX = 60;

/**
 * A task_id or client_id. The inputSchema has no `pattern`: it would take tokens, and llama.cpp would make a grammar of it that lets a
 * quotation mark through.
 */
export function clientGivenId() {
  return z
    .string()
    .refine(isClientGivenId, {
      error: `must be 1 to ${CLIENT_GIVEN_ID_CHARS_MAX} characters of valid Unicode without control characters`,
    })
    .meta({ minLength: 1, maxLength: CLIENT_GIVEN_ID_CHARS_MAX });
}

/**
 * Any JSON object, unchanged. Not zod's record: it drops a key named __proto__ without an error, and its JSON Schema contains an empty
 * schema, which some clients cannot read.
 */
export const jsonObject: z.ZodType<{ readonly [key: string]: Json }> = z
  .any()
  .refine(isJsonObject, { error: "must be a JSON object" })
  .meta({ type: "object", additionalProperties: true });

export function isJsonObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const TASK_TYPE_CHARS_MAX = 100;

/** The inputSchema has no `maxLength`: llama.cpp refuses schemas with one of 2,000 and more. */
export function callbackUrl() {
  return z
    .string()
    .refine((url) => url.length <= CALLBACK_URL_CHARS_MAX, {
      error: `must be at most ${CALLBACK_URL_CHARS_MAX} characters`,
    })
    .meta({ format: "uri" });
}

/** The catalog checks that the type exists. */
export function taskTypeName() {
  return z
    .string()
    .min(1, { error: "must not be empty; leave it out for the default" })
    .max(TASK_TYPE_CHARS_MAX, { error: `must be at most ${TASK_TYPE_CHARS_MAX} characters` });
}

const OWN_ID_CHARS_MAX = 100;
const CURSOR_CHARS_MAX = 200;

/** An id that this server made, such as a callback_id. */
export function ownId() {
  return z
    .string()
    .min(1, { error: "must not be empty" })
    .max(OWN_ID_CHARS_MAX, { error: `must be at most ${OWN_ID_CHARS_MAX} characters` });
}

const PAGE_LIMIT_MAX = 1000;
/** Small: a page takes space in a model's context. */
const PAGE_LIMIT_DEFAULT = 20;

/** The most entries of a page. `what`: the entries, for the description. */
export function pageLimit(what: string) {
  return wholeNumber(1, PAGE_LIMIT_MAX).default(PAGE_LIMIT_DEFAULT).describe(`${what} per page.`);
}

export function wholeNumber(least: number, most: number) {
  const error = ({ input }: { readonly input?: unknown }): string =>
    `must be a whole number between ${least} and ${most}; it is ${briefly(input)}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

function briefly(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, VALUE_CHARS_MAX));
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "a JSON object" : String(value);
}

/** A next_cursor of an earlier answer. */
export function pageCursor() {
  return z.string().max(CURSOR_CHARS_MAX, { error: `must be at most ${CURSOR_CHARS_MAX} characters` });
}

/** ISO 8601 with zone, parsed to epoch milliseconds. */
export function pointInTime() {
  return z
    .string()
    .refine((text) => parseIsoTime(text) !== null, {
      error: "must be a time in ISO 8601 with its zone, e.g. 2026-11-23T05:00:00Z",
    })
    .transform((text) => Date.parse(text))
    .meta({ format: "date-time" });
}
