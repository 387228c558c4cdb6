import type { Json } from "../../domain/json.ts";

const HIDDEN = "[hidden]";

/** Hides tokens in the texts of an upstream server, which may repeat the tokens that it was given. */
export interface Redactor {
  text(text: string): string;
  /** Every string in it, the names of fields too. */
  json(value: Json): Json;
}

export function createRedactor(secrets: readonly string[]): Redactor {
  // The longest first: a token may contain another one.
  const ordered = [...new Set(secrets)].toSorted((left, right) => right.length - left.length);
  const text = (given: string): string => ordered.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), given);
  const json = (value: Json): Json => {
    if (typeof value === "string") return text(value);
    if (value === null || typeof value !== "object") return value;
    if (isList(value)) return value.map(json);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [text(key), json(item)]));
  };
  return { text, json: ordered.length === 0 ? (value) => value : json };
}

function isList(value: Exclude<Json, string | number | boolean | null>): value is readonly Json[] {
  return Array.isArray(value);
}
