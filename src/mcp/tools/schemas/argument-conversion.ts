/**
 * Models and clients send arguments in forms that a schema does not allow: null for an absent argument, JSON text for an object, "5" for 5.
 * They are converted to the type in the tool's inputSchema. A text becomes an object, an array, a number or a boolean only where the schema
 * has that type. Where it has `string` or no type (inside a task's input), a value stays unchanged.
 */
import { DomainError } from "../../../domain/errors.ts";
import { isNestedDeeper, JSON_DEPTH_MAX } from "../../../domain/json.ts";

/** The keywords that the conversion reads. */
interface Schema {
  readonly type?: unknown;
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly items?: Schema;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** More keys or items than any valid argument has. A value with more is not converted. */
const PARTS_MAX = 1000;

/** The value converted to the schema's type, or the value itself where no exact conversion exists. Throws `invalid` for JSON text that is nested too deeply. */
export function converted(value: unknown, schema: Schema): unknown {
  if (typeof value === "string") return ofText(value, schema);
  if (Array.isArray(value)) return ofArray(value, schema);
  if (typeof value === "object" && value !== null) return ofObject(value as JsonObject, schema);
  return value;
}

function ofText(text: string, schema: Schema): unknown {
  switch (schema.type) {
    case "object":
    case "array":
      return ofJsonText(text, schema);
    case "number":
    case "integer":
      return ofNumberText(text, schema.type);
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    default:
      return text;
  }
}

function ofJsonText(text: string, schema: Schema): unknown {
  const parsed = parseJson(text);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed) !== (schema.type === "array")) return text;
  if (isNestedDeeper(parsed, JSON_DEPTH_MAX))
    throw new DomainError("invalid", `JSON nested deeper than ${JSON_DEPTH_MAX} levels is not taken; flatten it.`);
  return converted(parsed, schema);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Only a text that is exactly how JSON writes the number. " 5 ", "0x10", "1e3", "05" and numbers that would be rounded stay texts. */
function ofNumberText(text: string, type: "number" | "integer"): number | string {
  const value = Number(text);
  const isOfType = type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isOfType && String(value) === text ? value : text;
}

function ofArray(items: readonly unknown[], { items: schema }: Schema): unknown {
  return schema === undefined || items.length > PARTS_MAX ? items : items.map((item) => converted(item, schema));
}

function ofObject(value: JsonObject, { properties, required = [] }: Schema): unknown {
  const entries = Object.entries(value);
  if (properties === undefined || entries.length > PARTS_MAX) return value;
  // `fromEntries` defines keys, so a key named __proto__ stays a key.
  return Object.fromEntries(
    entries.flatMap(([name, given]) => {
      const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (schema === undefined) return [[name, given]];
      return given === null && !required.includes(name) ? [] : [[name, converted(given, schema)]];
    }),
  );
}
