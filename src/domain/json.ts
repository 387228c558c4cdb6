import { DomainError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** For inputs and results: deeper ones would exhaust the stack of whoever writes them out. */
export const JSON_DEPTH_MAX = 100;

/** Whether objects and arrays lie in one another more than `levels` deep. Itself safe on any depth. */
export function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const item of Object.values(value)) if (isNestedDeeper(item, levels - 1)) return true;
  return false;
}

/**
 * The one text of a JSON value, whatever the order its keys came in: what "started again with the same input" is judged by.
 * Throws `invalid` when `value` is nested deeper than 100 levels.
 */
export function canonicalJson(value: Json): string {
  if (isNestedDeeper(value, JSON_DEPTH_MAX)) {
    throw new DomainError("invalid", `JSON nested deeper than ${JSON_DEPTH_MAX} levels is not taken; flatten it.`);
  }
  return JSON.stringify(withSortedKeys(value));
}

function withSortedKeys(value: Json): Json {
  // JSON.parse makes Infinity of 1e400, and JSON.stringify makes null of that.
  if (typeof value === "number" && !Number.isFinite(value))
    throw new DomainError("invalid", "A number is too large for JSON.");
  if (Array.isArray(value)) return value.map((item: Json) => withSortedKeys(item));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, withSortedKeys(item)]));
}
