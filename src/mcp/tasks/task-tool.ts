import { z } from "zod";
import type { Task } from "../../domain/task.ts";
import type { TaskRequest, Tasks } from "../../service/tasks.ts";
import type { McpRequest } from "../protocol/mcp-request.ts";
import { INVALID_PARAMS, METHOD_NOT_FOUND, missingExtension, ProtocolError } from "../errors.ts";
import { objectSchemaOf } from "../tools/schemas/object-schema.ts";
import { createToolArguments } from "../tools/schemas/tool-arguments.ts";
import type { TaskTool, ToolAnnotations } from "../tools/define-tool.ts";
import { createdTask, legacyTask, TASKS_EXTENSION } from "./shapes.ts";
import type { ResultOf, TaskTerms } from "./shapes.ts";
import { waitForEnd } from "./waiting.ts";
import type { WaitingParts } from "./waiting.ts";

export interface TaskToolParts extends WaitingParts, TaskTerms {
  readonly tasks: Tasks;
}

/** A tool that starts a task. */
export interface TaskToolDefinition<Input extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  /** Strict, as in all tools. */
  readonly input: Input;
  /** The schema of the structuredContent that `resultOf` returns, if any. */
  readonly output?: z.ZodObject;
  /** required: only clients that accept a task as the answer may call the tool. */
  readonly support: "optional" | "required";
  /** The task type that the tool starts. `resultOf` then presents all tasks of that type, wherever they are read. Null: any type. */
  readonly taskType: string | null;
  /** The task that these arguments start. */
  startOf(given: z.output<Input>, principal: string): TaskRequest;
  /** For a task in any state: the wait for its end is bounded. */
  readonly resultOf: ResultOf;
}

/**
 * Clients that ask for a task, in either protocol version, get the stored task as the answer. Other clients get the result, or after a
 * bounded wait what `resultOf` returns for a task that has not ended.
 */
export function defineTaskTool<Input extends z.ZodObject>(
  definition: TaskToolDefinition<Input>,
  parts: TaskToolParts,
): TaskTool {
  const { name, title, description, annotations, input, output, support, taskType, resultOf } = definition;
  const toolArguments = createToolArguments(input);
  return {
    name,
    listing: () => ({
      name,
      title,
      description,
      inputSchema: toolArguments.schema(),
      ...(output !== undefined && { outputSchema: objectSchemaOf(output) }),
      annotations,
      execution: { taskSupport: support },
    }),
    task: { type: taskType, resultOf },
    async call(request, given, onIgnored) {
      const wantsTask = isTaskWanted(request);
      if (!wantsTask && support === "required") throw taskRequired(request);
      const start = definition.startOf(toolArguments.parse(given, onIgnored), request.principal);
      const { task, expectedMs } = await parts.tasks.start(request.principal, { ...start, isMcpTask: wantsTask });
      if (wantsTask) return createdAnswer(request, task, parts, resultOf);
      return resultOf(await waitForEnd(request, task, expectedMs, parts));
    },
  };
}

const legacyParams = z.looseObject({ task: z.looseObject({ ttl: z.number().nullish() }).optional() });

/** 2026-07-28: by the extension; the older `task` is ignored. 2025-11-25: by `task`; this server sets the ttl itself. */
export function isTaskWanted(request: McpRequest): boolean {
  if (request.protocolVersion === "2026-07-28") return request.declares(TASKS_EXTENSION);
  if ((request.params as { readonly task?: unknown } | undefined)?.task === undefined) return false;
  const parsed = legacyParams.safeParse(request.params);
  if (!parsed.success)
    throw new ProtocolError(INVALID_PARAMS, "Invalid tools/call request: task must be an object, and its ttl a number");
  return parsed.data.task !== undefined;
}

function createdAnswer(
  request: McpRequest,
  task: Task,
  terms: TaskTerms,
  resultOf: ResultOf,
): { [key: string]: unknown } {
  return request.protocolVersion === "2026-07-28"
    ? createdTask(task, terms, resultOf)
    : { task: legacyTask(task, terms) };
}

function taskRequired({ protocolVersion }: McpRequest): ProtocolError {
  if (protocolVersion === "2026-07-28") return missingExtension(TASKS_EXTENSION);
  return new ProtocolError(METHOD_NOT_FOUND, "This tool must be called as a task; call it with task");
}
