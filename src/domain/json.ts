import { DomainError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export const JSON_DEPTH_MAX = 100;

/**
 * The one text of a JSON value, whatever the order its keys came in: what "started again with the same input" is judged by.
 * Throws `invalid` when `value` is nested deeper than 100 levels (JSON.stringify would run out of stack far above that).
 */
export function canonicalJson(value: Json): string {
  return JSON.stringify(sortKeys(value, 0));
}

function sortKeys(value: Json, depth: number): Json {
  if (depth > JSON_DEPTH_MAX)
    throw new DomainError("invalid", `input: nested deeper than ${JSON_DEPTH_MAX} levels; flatten it.`);
  if (Array.isArray(value)) return value.map((item: Json) => sortKeys(item, depth + 1));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item, depth + 1)]));
}
