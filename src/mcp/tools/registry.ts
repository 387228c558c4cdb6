import { DomainError } from "../../domain/errors.ts";
import type { Callbacks } from "../../service/callbacks.ts";
import type { Completions } from "../../service/completions.ts";
import type { Deliveries } from "../../service/deliveries.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Probes } from "../../service/probes.ts";
import type { Secrets } from "../../service/secrets.ts";
import type { Subscriptions } from "../../service/subscriptions.ts";
import { isJsonObject } from "./schemas/arguments.ts";
import type { Call } from "../protocol/request.ts";
import { errorResult, internalError, INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from "../errors.ts";
import { createContentFixtures } from "../fixtures/content.ts";
import { createTaskFixtures } from "../fixtures/tasks.ts";
import { isTaskWanted } from "../tasks/task-tool.ts";
import type { TaskToolNeeds } from "../tasks/task-tool.ts";
import { createWaitSlots } from "../tasks/wait-slots.ts";
import type { ResultOf } from "../tasks/shapes.ts";
import type { Tool, ToolAnswer, ToolListing } from "./define-tool.ts";
import { createCancelTask } from "./cancel-task.ts";
import { createDiagnoseCallback } from "./diagnose-callback.ts";
import { createEnableCallback } from "./enable-callback.ts";
import { createGetRegisteredCallbacks } from "./get-registered-callbacks.ts";
import { createGetTaskResult } from "./get-task-result.ts";
import { createListSubscriptions } from "./list-subscriptions.ts";
import { createListTasks } from "./list-tasks.ts";
import { createListTaskTypes } from "./list-task-types.ts";
import { createRedeliver } from "./redeliver.ts";
import { createRegisterCallback } from "./register-callback.ts";
import { createRotateCallbackSecret } from "./rotate-callback-secret.ts";
import { createRunTask } from "./run-task.ts";
import { createSendTestEvent } from "./send-test-event.ts";
import { createStartTaskWithCallbacks } from "./start-task-with-callbacks.ts";
import { createUnregisterCallback } from "./unregister-callback.ts";
import { createWaitForTask } from "./wait-for-task.ts";

/** The longest name a tool may have (MCP, "Tool names"); of longer ones no more is repeated. */
const TOOL_NAME_CHARS_MAX = 128;

/** What an agent needs to start work and to hear of its end. */
const CORE: ReadonlySet<string> = new Set([
  "register_callback",
  "start_task_with_callbacks",
  "run_task",
  "get_task_result",
  "get_registered_callbacks",
  "wait_for_task",
]);

export interface ToolsNeeds extends Omit<TaskToolNeeds, "waitSlots"> {
  readonly callbacks: Callbacks;
  readonly deliveries: Deliveries;
  readonly probes: Probes;
  readonly secrets: Secrets;
  readonly subscriptions: Subscriptions;
  readonly completions: Pick<Completions, "issue">;
  readonly completionUrlOf: (token: string) => string;
  readonly clock: Clock;
  readonly emit: Emit;
  /** core: only those that an agent needs, for models with little room. */
  readonly toolSet: "all" | "core";
  /** Whether the tools that the official conformance suite asks for are served too. */
  readonly testFixtures: boolean;
}

/** The tools that both eras serve. */
export interface Tools {
  /** In stable order, as the listings. */
  readonly names: readonly string[];
  listings(era: Call["era"]): readonly ToolListing[];
  /** What the tool whose work a task is answers with, whoever started it. */
  readonly resultOf: ResultOf;
  /**
   * Answers `tools/call`. Throws an `RpcError`: -32602 when its params are malformed or the tool is unknown, -32601 when a tool is asked
   * for a task and gives none, -32603 for a fault of ours, which has been announced.
   */
  call(call: Call): Promise<ToolAnswer>;
}

export function createTools({ emit, toolSet, testFixtures, ...services }: ToolsNeeds): Tools {
  const needs = { ...services, waitSlots: createWaitSlots() };
  const runTask = createRunTask(needs);
  const own: readonly Tool[] = [
    createRegisterCallback(needs),
    createStartTaskWithCallbacks(needs),
    createListTaskTypes(needs),
    runTask,
    createGetTaskResult(needs),
    createListTasks(needs),
    createCancelTask(needs),
    createGetRegisteredCallbacks(needs),
    createWaitForTask(needs),
    createUnregisterCallback(needs),
    createEnableCallback(needs),
    createRedeliver(needs),
    createSendTestEvent(needs),
    createDiagnoseCallback(needs),
    createRotateCallbackSecret(needs),
    createListSubscriptions(needs),
  ];
  const tools = [
    ...own.filter(({ name }) => toolSet === "all" || CORE.has(name)),
    ...(testFixtures ? [...createContentFixtures(), ...createTaskFixtures(needs)] : []),
  ];
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const byTaskType = new Map(
    tools.flatMap(({ task }) => (typeof task?.type === "string" ? [[task.type, task] as const] : [])),
  );
  return {
    names: tools.map(({ name }) => name),
    listings: (era) => listingsOf(tools, era),
    resultOf: (task) => (byTaskType.get(task.taskType) ?? runTask.task).resultOf(task),
    async call(call) {
      const { name, arguments: given } = parseCall(call.params);
      const tool = byName.get(name);
      if (tool === undefined) throw new RpcError(INVALID_PARAMS, `Unknown tool: ${name.slice(0, TOOL_NAME_CHARS_MAX)}`);
      if (tool.task === undefined && call.era === "legacy" && isTaskWanted(call))
        throw new RpcError(METHOD_NOT_FOUND, `Tool ${name} gives no task for an answer`);
      try {
        return await tool.call(call, given, (names) => emit({ kind: "tool.arguments_ignored", tool: name, names }));
      } catch (error) {
        if (error instanceof DomainError) return errorResult({ code: error.code, message: error.message });
        if (error instanceof RpcError) throw error;
        emit({ kind: "internal.failed", where: `mcp ${name}`, error });
        throw internalError();
      }
    },
  };
}

function listingsOf(tools: readonly Tool[], era: Call["era"]): readonly ToolListing[] {
  const legacy = tools.map((tool) => tool.listing());
  return era === "legacy" ? legacy : legacy.map(({ execution: _execution, ...listing }) => listing);
}

function parseCall(params: unknown): { readonly name: string; readonly arguments: unknown } {
  const { name, arguments: sent } = (params ?? {}) as Readonly<Record<string, unknown>>;
  const given = sent ?? {};
  if (typeof name === "string" && isJsonObject(given)) return { name, arguments: given };
  throw new RpcError(INVALID_PARAMS, "Invalid tools/call request: name must be a string and arguments a JSON object");
}
