import { z } from "zod";
import type { Task } from "../../domain/task.ts";
import type { TaskStart, Tasks } from "../../service/tasks.ts";
import type { Call } from "../protocol/request.ts";
import { INVALID_PARAMS, METHOD_NOT_FOUND, missingExtension, RpcError } from "../errors.ts";
import { objectSchemaOf } from "../tools/schemas/object-schema.ts";
import { parseArguments } from "../tools/schemas/parse-arguments.ts";
import type { TaskTool, ToolAnnotations } from "../tools/define-tool.ts";
import { createdTask, legacyTask, TASKS_EXTENSION } from "./shapes.ts";
import type { ResultOf, TaskTerms } from "./shapes.ts";
import { waitForEnd } from "./waiting.ts";
import type { WaitingNeeds } from "./waiting.ts";

export interface TaskToolNeeds extends WaitingNeeds, TaskTerms {
  readonly tasks: Tasks;
}

/** A tool whose work is a task. */
export interface TaskToolDefinition<Input extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  /** Strict, as of all tools. */
  readonly input: Input;
  /** Of the structuredContent that `resultOf` gives, if it does. */
  readonly output?: z.ZodObject;
  /** required: only clients that take a task for an answer may call it. */
  readonly support: "optional" | "required";
  /** The only type of task that it starts, whose results are then told in its words wherever they are asked for; null: any. */
  readonly taskType: string | null;
  /** The task that these arguments ask for. */
  startOf(given: z.output<Input>, principal: string): TaskStart;
  /** Of a task in any state: the wait for its end is bounded. */
  readonly resultOf: ResultOf;
}

/**
 * Makes the tool. Clients that know tasks, by whichever protocol, get one for an answer, stored before they hear of it; the others get
 * the result itself, or after a bounded wait what `resultOf` says of a task that has not ended.
 */
export function defineTaskTool<Input extends z.ZodObject>(
  definition: TaskToolDefinition<Input>,
  needs: TaskToolNeeds,
): TaskTool {
  const { name, title, description, annotations, input, output, support, taskType, resultOf } = definition;
  return {
    name,
    listing: () => ({
      name,
      title,
      description,
      inputSchema: objectSchemaOf(input),
      ...(output !== undefined && { outputSchema: objectSchemaOf(output) }),
      annotations,
      execution: { taskSupport: support },
    }),
    task: { type: taskType, resultOf },
    async call(call, given, noteIgnored) {
      const wantsTask = isTaskWanted(call);
      if (!wantsTask && support === "required") throw taskRequired(call);
      const start = definition.startOf(parseArguments(input, given, noteIgnored), call.principal);
      const { task, expectedMs } = await needs.tasks.start(call.principal, { ...start, isMcpTask: wantsTask });
      if (wantsTask) return createdAnswer(call, task, needs, resultOf);
      return resultOf(await waitForEnd(call, task, expectedMs, needs));
    },
  };
}

const legacyParams = z.looseObject({ task: z.looseObject({ ttl: z.number().nullish() }).optional() });

/** 2026-07-28: by the extension; the older `task` is ignored. 2025-11-25: by `task`, whose ttl is a wish that ours overrides. */
export function isTaskWanted(call: Call): boolean {
  if (call.era === "modern") return call.declares(TASKS_EXTENSION);
  if ((call.params as { readonly task?: unknown } | undefined)?.task === undefined) return false;
  const parsed = legacyParams.safeParse(call.params);
  if (!parsed.success)
    throw new RpcError(INVALID_PARAMS, "Invalid tools/call request: task must be an object, and its ttl a number");
  return parsed.data.task !== undefined;
}

function createdAnswer(call: Call, task: Task, terms: TaskTerms, resultOf: ResultOf): { [key: string]: unknown } {
  return call.era === "modern" ? createdTask(task, terms, resultOf) : { task: legacyTask(task, terms) };
}

function taskRequired({ era }: Call): RpcError {
  if (era === "modern") return missingExtension(TASKS_EXTENSION);
  return new RpcError(METHOD_NOT_FOUND, "This tool must be called as a task");
}
