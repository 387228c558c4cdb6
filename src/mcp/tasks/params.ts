import type { z } from "zod";
import { INVALID_PARAMS, ProtocolError } from "../errors.ts";

export function parseParams<Schema extends z.ZodType>(
  method: string,
  schema: Schema,
  given: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map(({ path }) => path.slice(0, 2).join(".")))].join(", ");
  throw new ProtocolError(INVALID_PARAMS, `Invalid ${method} request: ${fields} missing or malformed`);
}
