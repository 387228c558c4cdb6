import type { z } from "zod";
import { problemSentence } from "../../domain/schema-problems.ts";
import { INVALID_PARAMS, ProtocolError } from "../errors.ts";

const PARAMS = { whole: "params" };

/** Throws a `ProtocolError` -32602 that names each problem. */
export function parseParams<Schema extends z.ZodType>(
  method: string,
  schema: Schema,
  given: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  throw new ProtocolError(INVALID_PARAMS, `Invalid ${method} request: ${problemSentence(parsed.error.issues, PARAMS)}`);
}
