import type { z } from "zod";
import type { Task } from "../../domain/task.ts";
import type { McpRequest } from "../protocol/mcp-request.ts";
import { objectSchemaOf } from "./schemas/object-schema.ts";
import type { ObjectSchema } from "./schemas/object-schema.ts";
import { createToolArguments } from "./schemas/tool-arguments.ts";
import type { OnIgnored } from "./schemas/tool-arguments.ts";

/** One tool. It knows neither SDK: both protocol versions serve the same tools, so they cannot differ. */
export interface Tool {
  readonly name: string;
  /** Generates its JSON Schemas. */
  listing(): ToolListing;
  /** `given`: the arguments as the client sent them. Throws a `DomainError` or a `ProtocolError`; any other error is internal. */
  call(request: McpRequest, given: unknown, onIgnored: OnIgnored): Promise<ToolAnswer>;
  /** Only a tool that starts a task has it. */
  readonly task?: TaskBinding;
}

export interface TaskBinding {
  /** The task type that the tool starts; null: any. */
  readonly type: string | null;
  /** The tool's result for such a task. */
  resultOf(task: Task): ToolResult;
}

export interface TaskTool extends Tool {
  readonly task: TaskBinding;
}

/** A result, or a task that will have one. */
export type ToolAnswer = ToolResult | { [key: string]: unknown };

/** A tool as `tools/list` shows it. */
export interface ToolListing {
  name: string;
  title: string;
  description: string;
  inputSchema: ObjectSchema;
  /** Absent only in the fixtures of the conformance suite. */
  outputSchema?: ObjectSchema;
  annotations: ToolAnnotations;
  /** 2025-11-25 only. */
  execution?: { taskSupport: "optional" | "required" };
}

/** All four: the defaults that clients assume are pessimistic. */
export interface ToolAnnotations {
  readOnlyHint: boolean;
  destructiveHint: boolean;
  idempotentHint: boolean;
  openWorldHint: boolean;
}

export interface ToolResult {
  content: ContentBlock[];
  structuredContent?: Record<string, unknown>;
  isError?: true;
  [key: string]: unknown;
}

/** A result whose text is the JSON of its structuredContent, so that JSON is made once. */
export class StructuredResult implements ToolResult {
  readonly [key: string]: unknown;
  readonly content: [{ type: "text"; text: string }];
  readonly structuredContent: Record<string, unknown>;

  constructor(structuredContent: Record<string, unknown>) {
    this.content = [{ type: "text", text: JSON.stringify(structuredContent) }];
    this.structuredContent = structuredContent;
  }

  /** The same as JSON.stringify(this). */
  inJson(): string {
    const [{ text }] = this.content;
    return `{"content":[{"type":"text","text":${JSON.stringify(text)}}],"structuredContent":${text}}`;
  }
}

/** Tools answer with text alone; the other types are for the fixtures. */
export type ContentBlock =
  | { type: "text"; text: string }
  | { type: "image" | "audio"; data: string; mimeType: string }
  | { type: "resource"; resource: { uri: string; mimeType: string; text: string } };

export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  /** Strict: an unknown argument is an error. Otherwise a misspelt optional one would be ignored. */
  readonly input: Input;
  /** Not strict: answers may get keys that the schema of an older client does not have. Its order of keys is the answer's. */
  readonly output: Output;
  readonly answer: (given: z.output<Input>, request: McpRequest) => Promise<z.input<Output>>;
}

export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  const { name, title, description, annotations, input, output, answer } = definition;
  const toolArguments = createToolArguments(input);
  return {
    name,
    listing: () => ({
      name,
      title,
      description,
      inputSchema: toolArguments.schema(),
      outputSchema: objectSchemaOf(output),
      annotations,
    }),
    async call(request, given, onIgnored) {
      const parsed = toolArguments.parse(given, onIgnored);
      // Keys that the schema does not name are left out. An answer that does not fit throws: an internal error.
      return new StructuredResult(output.parse(await answer(parsed, request)));
    },
  };
}
