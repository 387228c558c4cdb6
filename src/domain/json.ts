import { DomainError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** For inputs and results: a deeper one would exhaust the stack of the code that writes it. */
export const JSON_DEPTH_MAX = 100;

/** Whether objects and arrays are nested more than `levels` deep. It is safe on any depth. */
export function isNestedDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const item of Object.values(value)) if (isNestedDeeper(item, levels - 1)) return true;
  return false;
}

/**
 * The one text of a JSON value, whatever the order of its keys. Two starts have the same input if these texts are equal.
 * Throws `invalid` when `value` is nested deeper than 100 levels.
 */
export function canonicalJson(value: Json): string {
  if (isNestedDeeper(value, JSON_DEPTH_MAX)) {
    throw new DomainError("invalid", `JSON nested deeper than ${JSON_DEPTH_MAX} levels is not accepted; flatten it.`);
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
