import type { z } from "zod";
import type { Task } from "../../domain/task.ts";
import type { Call } from "../protocol/request.ts";
import { objectSchemaOf } from "./schemas/object-schema.ts";
import type { ObjectSchema } from "./schemas/object-schema.ts";
import { parseArguments } from "./schemas/parse-arguments.ts";
import type { NoteIgnored } from "./schemas/parse-arguments.ts";

/** One tool, knowing neither SDK: both eras serve the same ones, so that they cannot drift apart. */
export interface Tool {
  readonly name: string;
  /** Generates its JSON Schemas. */
  listing(): ToolListing;
  /**
   * Throws a `DomainError` for what the caller did wrong (arguments included); anything else that is thrown is a fault of ours.
   * `given`: the arguments as they came.
   */
  call(call: Call, given: unknown, noteIgnored: NoteIgnored): Promise<ToolAnswer>;
  /** Only of a tool whose work is a task. */
  readonly task?: TaskBinding;
}

export interface TaskBinding {
  /** Null: any. */
  readonly type: string | null;
  /** What the tool says of such a task. */
  resultOf(task: Task): ToolResult;
}

export interface TaskTool extends Tool {
  readonly task: TaskBinding;
}

/** A result, or the task that will have one. */
export type ToolAnswer = ToolResult | { [key: string]: unknown };

/** A tool as `tools/list` shows it. */
export interface ToolListing {
  name: string;
  title: string;
  description: string;
  inputSchema: ObjectSchema;
  /** All tools have one but the fixtures of the conformance suite. */
  outputSchema?: ObjectSchema;
  annotations: ToolAnnotations;
  /** 2025-11-25 only. */
  execution?: { taskSupport: "optional" | "required" };
}

/** All four, always: the defaults that clients assume are pessimistic. */
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

/** Says the same twice: its text is the JSON of its structuredContent. So whoever writes it out need not write that anew. */
export class StructuredResult implements ToolResult {
  readonly [key: string]: unknown;
  readonly content: [{ type: "text"; text: string }];
  readonly structuredContent: Record<string, unknown>;

  constructor(structuredContent: Record<string, unknown>) {
    this.content = [{ type: "text", text: JSON.stringify(structuredContent) }];
    this.structuredContent = structuredContent;
  }

  /** What JSON.stringify would make of it. */
  inJson(): string {
    const [{ text }] = this.content;
    return `{"content":[{"type":"text","text":${JSON.stringify(text)}}],"structuredContent":${text}}`;
  }
}

/** Ours answer with text alone; the others are for the fixtures. */
export type ContentBlock =
  | { type: "text"; text: string }
  | { type: "image" | "audio"; data: string; mimeType: string }
  | { type: "resource"; resource: { uri: string; mimeType: string; text: string } };

export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  /** Strict: unknown arguments are refused, or a misspelt optional one would be ignored in silence. */
  readonly input: Input;
  /** Not strict, so that answers may grow under clients that know an older schema. Its order of keys is the answer's. */
  readonly output: Output;
  readonly answer: (input: z.output<Input>, principal: string, call: Call) => Promise<z.input<Output>>;
}

/** Makes the tool. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  const { name, title, description, annotations, input, output, answer } = definition;
  return {
    name,
    listing: () => ({
      name,
      title,
      description,
      inputSchema: objectSchemaOf(input),
      outputSchema: objectSchemaOf(output),
      annotations,
    }),
    async call(call, given, noteIgnored) {
      const asked = parseArguments(input, given, noteIgnored);
      // What the schema does not name does not leave the house; a mismatch throws, as the fault of ours that it is.
      return new StructuredResult(output.parse(await answer(asked, call.principal, call)));
    },
  };
}
