import { z } from "zod";
import { CALLBACK_URL_CHARS_MAX } from "../../../domain/callback.ts";
import { CLIENT_GIVEN_ID_CHARS_MAX, isClientGivenId } from "../../../domain/ids.ts";
import type { Json } from "../../../domain/json.ts";

/** Of a wrong value that an error repeats. */
const VALUE_CHARS_MAX = 60;

/**
 * A task_id or client_id. The listing has no `pattern` for it: llama.cpp makes a grammar of one that lets a quotation mark through, and
 * each takes tokens.
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
 * Any JSON object, as it came: zod's record would leave out a key named __proto__ in silence, and its schema has an empty one in it,
 * which some clients cannot take.
 */
export const jsonObject: z.ZodType<{ readonly [key: string]: Json }> = z
  .any()
  .refine(isJsonObject, { error: "must be a JSON object" })
  .meta({ type: "object", additionalProperties: true });

export function isJsonObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const TASK_TYPE_CHARS_MAX = 100;

/** Its length is no `maxLength` in the listing: llama.cpp refuses schemas with one of 2,000 and more. */
export function callbackUrl() {
  return z
    .string()
    .refine((url) => url.length <= CALLBACK_URL_CHARS_MAX, {
      error: `must be at most ${CALLBACK_URL_CHARS_MAX} characters`,
    })
    .meta({ format: "uri" });
}

/** Whether there is such a type is the catalog's to say. */
export function taskTypeName() {
  return z
    .string()
    .min(1, { error: "must not be empty; leave it out for the default" })
    .max(TASK_TYPE_CHARS_MAX, { error: `must be at most ${TASK_TYPE_CHARS_MAX} characters` });
}

const OWN_ID_CHARS_MAX = 100;
const CURSOR_CHARS_MAX = 200;

/** An id that this server made, such as a callback_id. Whether there is such a thing is the store's to say. */
export function ownId() {
  return z
    .string()
    .min(1, { error: "must not be empty" })
    .max(OWN_ID_CHARS_MAX, { error: `must be at most ${OWN_ID_CHARS_MAX} characters` });
}

const PAGE_LIMIT_MAX = 1000;
/** More would take a model's context for what it rarely reads. */
const PAGE_LIMIT_DEFAULT = 20;

/** How many entries a page has at most. */
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

/** A next_cursor that comes back. */
export function pageCursor() {
  return z.string().max(CURSOR_CHARS_MAX, { error: `must be at most ${CURSOR_CHARS_MAX} characters` });
}

/** ISO 8601 with its zone; gives epoch milliseconds. */
export function pointInTime() {
  return z
    .string()
    .refine((text) => /^\d{4}-\d\d-\d\dT[\d:.]{5,15}(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text)), {
      error: "must be a time in ISO 8601 with its zone, e.g. 2026-11-23T05:00:00Z",
    })
    .transform((text) => Date.parse(text))
    .meta({ format: "date-time" });
}
