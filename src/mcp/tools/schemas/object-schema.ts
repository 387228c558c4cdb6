import { z } from "zod";

export interface ObjectSchema {
  type: "object";
  [keyword: string]: unknown;
}

const made = new WeakMap<z.ZodObject, ObjectSchema>();

/**
 * Without `$schema`: MCP reads a schema that names no dialect as 2020-12, and validators that know only draft-07 still take it. Made once,
 * when first asked for: those of all tools would hold up the first call of one.
 */
export function objectSchemaOf(schema: z.ZodObject): ObjectSchema {
  const known = made.get(schema);
  if (known !== undefined) return known;
  const { $schema: _dialect, ...keywords } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
  const objectSchema: ObjectSchema = { ...keywords, type: "object" };
  made.set(schema, objectSchema);
  return objectSchema;
}
