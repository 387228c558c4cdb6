/** JSON Schemas of upstream servers. Their patterns are foreign: the engine of JavaScript takes exponential time for some, RE2 never does. */
import type { JsonSchemaType, JsonSchemaValidator, jsonSchemaValidator } from "@modelcontextprotocol/client";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv";
import { RE2JS } from "re2js";

/** A pattern that RE2 does not have, such as a look-ahead or a back reference. */
export class UnsupportedPattern extends Error {
  override readonly name = "UnsupportedPattern";
}

/** Throws for a schema that cannot be understood; an `UnsupportedPattern` where a pattern is the reason. It keeps what it has compiled. */
export function createSchemaValidator(): jsonSchemaValidator {
  const validators = new AjvJsonSchemaValidator();
  return {
    getValidator(schema) {
      const { $schema } = schema;
      // Makes the engine of the schema's dialect, which the SDK makes with the first schema and gives no options.
      validators.getValidator($schema === undefined ? { type: "object" } : { $schema, type: "object" });
      for (const engine of Object.values(validators).filter(isEngine)) engine.opts.code.regExp = linearRegExp;
      return validators.getValidator(schema);
    },
  };
}

/** For the SDK's client, which checks results. A tool with an unsupported pattern is not offered, so its results need no check. */
export function createResultValidator(): jsonSchemaValidator {
  const validators = createSchemaValidator();
  return {
    getValidator<T>(schema: JsonSchemaType): JsonSchemaValidator<T> {
      try {
        return validators.getValidator<T>(schema);
      } catch (error) {
        if (!(error instanceof UnsupportedPattern)) throw error;
        return (input) => ({ valid: true, data: input as T, errorMessage: undefined });
      }
    },
  };
}

/** An instance of Ajv. */
interface Engine {
  readonly opts: { readonly code: { regExp: typeof linearRegExp } };
}

function isEngine(value: unknown): value is Engine {
  return typeof value === "object" && value !== null && "opts" in value;
}

/** As Ajv's option `code.regExp` wants it. */
function linearRegExp(pattern: string) {
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return { test: (text: string) => compiled.test(text), toString: () => pattern };
  } catch (error) {
    throw new UnsupportedPattern(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
/** Ajv uses it only to write standalone code. */
linearRegExp.code = "linearRegExp";
