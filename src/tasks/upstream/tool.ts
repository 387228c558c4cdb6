/** The tools of an upstream server that the operator offers. */
import type {
  JsonSchemaType,
  JsonSchemaValidator,
  jsonSchemaValidator,
  Tool as SdkTool,
} from "@modelcontextprotocol/client";
import { DomainError } from "../../domain/errors.ts";
import type { Json } from "../../domain/json.ts";
import { offersTool, taskTypeOf } from "../../domain/upstream.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { JsonSchema } from "../../service/ports/task-types.ts";
import type { Redactor } from "./redactor.ts";
import { createSchemaValidator, UnsupportedPattern } from "./schema-validator.ts";

const DESCRIPTION_CHARS_MAX = 4000;
const PROBLEM_CHARS_MAX = 500;
const PATTERN_CHARS_MAX = 200;

export interface UpstreamTool {
  readonly name: string;
  readonly taskType: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly outputSchema: JsonSchema | null;
  /** Its server declares it idempotent or read-only: it may be called again. */
  readonly isRepeatable: boolean;
  /** Throws a DomainError `invalid` that names the path and the reason. */
  requireValid(input: Json): void;
}

export interface OfferedTools {
  readonly tools: ReadonlyMap<string, UpstreamTool>;
  /** Tools that are allowed and cannot be offered, each with the reason. */
  readonly skipped: readonly string[];
}

/** The tools that the operator allows, of those that the server lists. */
export function offeredTools(upstream: Upstream, listed: readonly SdkTool[], redactor: Redactor): OfferedTools {
  // One for each list: a validator keeps every schema that it has compiled.
  const validators = createSchemaValidator();
  const tools = new Map<string, UpstreamTool>();
  const skipped: string[] = [];
  for (const tool of listed.filter(({ name }) => offersTool(upstream, name))) {
    const taskType = taskTypeOf(upstream, tool.name);
    const isValid = validatorOf(validators, tool);
    if (taskType === null)
      skipped.push(`the tool ${tool.name.slice(0, 100)} has a name that cannot be part of a task type`);
    else if (typeof isValid === "string") skipped.push(`the tool ${tool.name} has ${isValid}`);
    else tools.set(tool.name, upstreamTool(tool, taskType, isValid, redactor));
  }
  const missing = upstream.allow.filter((name) => name !== "*" && !listed.some((tool) => tool.name === name));
  return {
    tools,
    skipped: [...skipped, ...missing.map((name) => `it has no tool ${name}, which is in its allow list`)],
  };
}

/** Of the tool's input; or why it cannot be checked. */
function validatorOf(
  validators: jsonSchemaValidator,
  { inputSchema, outputSchema }: SdkTool,
): JsonSchemaValidator<unknown> | string {
  try {
    if (outputSchema !== undefined) requirePatterns(validators, outputSchema);
    // The two types differ only in optional fields that may be undefined.
    return validators.getValidator(inputSchema as JsonSchemaType);
  } catch (error) {
    if (!(error instanceof UnsupportedPattern)) return "an input schema that cannot be understood";
    return `a pattern that cannot be checked in linear time (${error.message.slice(0, PATTERN_CHARS_MAX)})`;
  }
}

/** Throws an `UnsupportedPattern`. The SDK judges what else may be wrong with the schema of a result. */
function requirePatterns(validators: jsonSchemaValidator, schema: NonNullable<SdkTool["outputSchema"]>): void {
  try {
    validators.getValidator(schema as JsonSchemaType);
  } catch (error) {
    if (error instanceof UnsupportedPattern) throw error;
  }
}

function upstreamTool(
  tool: SdkTool,
  taskType: string,
  isValid: JsonSchemaValidator<unknown>,
  redactor: Redactor,
): UpstreamTool {
  const { name, description = "", annotations } = tool;
  return {
    name,
    taskType,
    title: redactor.text(tool.title ?? annotations?.title ?? name),
    description: redactor.text(description).slice(0, DESCRIPTION_CHARS_MAX),
    inputSchema: tool.inputSchema,
    outputSchema: tool.outputSchema ?? null,
    isRepeatable: annotations?.idempotentHint === true || annotations?.readOnlyHint === true,
    requireValid(input) {
      const { valid, errorMessage = "" } = isValid(input);
      if (valid) return;
      // Ajv calls the whole value "data".
      const texts = errorMessage.replaceAll(/(^|, )data(?=[/ ])/g, "$1input").slice(0, PROBLEM_CHARS_MAX);
      throw new DomainError("invalid", `The input does not fit ${taskType}: ${texts}.`);
    },
  };
}
