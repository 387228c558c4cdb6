import { z } from "zod";

export interface ObjectSchema {
  type: "object";
  [keyword: string]: unknown;
}

/** Without `$schema`: MCP reads a schema that names no dialect as 2020-12, and validators that know only draft-07 accept it too. */
export function objectSchemaOf(schema: z.ZodObject): ObjectSchema {
  const { $schema: _dialect, ...keywords } = z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
  return { ...keywords, type: "object" };
}
