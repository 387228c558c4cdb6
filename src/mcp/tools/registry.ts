import type { Callbacks } from "../../service/callbacks.ts";
import type { Completions } from "../../service/completions.ts";
import type { Deliveries } from "../../service/deliveries.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { ReceiverTests } from "../../service/receiver-tests.ts";
import type { Secrets } from "../../service/secrets.ts";
import type { Subscriptions } from "../../service/subscriptions.ts";
import type { Tasks } from "../../service/tasks.ts";
import { isJsonObject } from "./schemas/arguments.ts";
import type { McpRequest, ProtocolVersion } from "../protocol/mcp-request.ts";
import { INVALID_PARAMS, METHOD_NOT_FOUND, ProtocolError, toToolError } from "../errors.ts";
import type { ToProtocolError } from "../errors.ts";
import { createContentFixtures } from "../fixtures/content.ts";
import { createTaskFixtures } from "../fixtures/tasks.ts";
import { isTaskWanted } from "../tasks/task-tool.ts";
import { createWaitSlots } from "../tasks/wait-slots.ts";
import type { ResultOf, TaskTerms } from "../tasks/shapes.ts";
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

/** The longest name a tool may have (MCP, "Tool names"). An error repeats no more of a name. */
const TOOL_NAME_CHARS_MAX = 128;

/** The tools that an agent needs to start work and to learn of its end. */
const CORE: ReadonlySet<string> = new Set([
  "register_callback",
  "start_task_with_callbacks",
  "run_task",
  "get_task_result",
  "get_registered_callbacks",
  "wait_for_task",
]);

export interface ToolsParts extends TaskTerms {
  readonly tasks: Tasks;
  readonly callbacks: Callbacks;
  readonly deliveries: Deliveries;
  readonly receiverTests: ReceiverTests;
  readonly secrets: Secrets;
  readonly subscriptions: Subscriptions;
  readonly completions: Pick<Completions, "issue">;
  readonly completionUrlOf: (token: string) => string;
  readonly clock: Clock;
  readonly emit: Emit;
  /** How long a call waits for the end of its task. */
  readonly runTaskWaitMs: number;
  /** core: only those that an agent needs, for models with a small context. */
  readonly toolSet: "all" | "core";
  /** Whether to serve the fixtures of the official conformance suite too. */
  readonly testFixtures: boolean;
}

/** The tools of both protocol versions. */
export interface Tools {
  /** In stable order, the same as in `listings`. */
  readonly names: readonly string[];
  listings(version: ProtocolVersion): readonly ToolListing[];
  /** The result of the tool that starts tasks of this type, whichever client started this one. */
  readonly resultOf: ResultOf;
  /**
   * Answers `tools/call`. Throws a `ProtocolError`: -32602 for malformed params or an unknown tool, -32601 for a tool that is called as a
   * task and starts none, -32603 for an unexpected error, which is logged.
   */
  call(request: McpRequest): Promise<ToolAnswer>;
}

export function createTools(
  { emit, toolSet, testFixtures, ...services }: ToolsParts,
  toProtocolError: ToProtocolError,
): Tools {
  const parts = { ...services, waitSlots: createWaitSlots() };
  const runTask = createRunTask(parts);
  const own: readonly Tool[] = [
    createRegisterCallback(parts),
    createStartTaskWithCallbacks(parts),
    createListTaskTypes(parts),
    runTask,
    createGetTaskResult(parts),
    createListTasks(parts),
    createCancelTask(parts),
    createGetRegisteredCallbacks(parts),
    createWaitForTask(parts),
    createUnregisterCallback(parts),
    createEnableCallback(parts),
    createRedeliver(parts),
    createSendTestEvent(parts),
    createDiagnoseCallback(parts),
    createRotateCallbackSecret(parts),
    createListSubscriptions(parts),
  ];
  const tools = [
    ...own.filter(({ name }) => toolSet === "all" || CORE.has(name)),
    ...(testFixtures ? [...createContentFixtures(), ...createTaskFixtures(parts)] : []),
  ];
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const byTaskType = new Map(
    tools.flatMap(({ task }) => (typeof task?.type === "string" ? [[task.type, task] as const] : [])),
  );
  return {
    names: tools.map(({ name }) => name),
    listings: createListings(tools),
    resultOf: (task) => (byTaskType.get(task.taskType) ?? runTask.task).resultOf(task),
    async call(request) {
      const { name, given } = parseCall(request.params);
      const tool = byName.get(name);
      if (tool === undefined)
        throw new ProtocolError(INVALID_PARAMS, `Unknown tool: ${name.slice(0, TOOL_NAME_CHARS_MAX)}`);
      if (tool.task === undefined && request.protocolVersion === "2025-11-25" && isTaskWanted(request))
        throw new ProtocolError(METHOD_NOT_FOUND, `Tool ${name} starts no task; call it without task`);
      try {
        return await tool.call(request, given, (names) => emit({ kind: "tool.arguments_ignored", tool: name, names }));
      } catch (error) {
        const result = toToolError(error);
        if (result !== null) return result;
        throw toProtocolError(error, name);
      }
    },
  };
}

/** The listings are made at the first call: their JSON Schemas would delay the start. */
function createListings(tools: readonly Tool[]): Tools["listings"] {
  const made = new Map<ProtocolVersion, readonly ToolListing[]>();
  return (version) => {
    const known = made.get(version);
    if (known !== undefined) return known;
    const listings = tools.map((tool) => tool.listing());
    const listed =
      version === "2025-11-25" ? listings : listings.map(({ execution: _execution, ...listing }) => listing);
    made.set(version, listed);
    return listed;
  };
}

function parseCall(params: unknown): { readonly name: string; readonly given: unknown } {
  const { name, arguments: sent } = (params ?? {}) as Readonly<Record<string, unknown>>;
  const given = sent ?? {};
  if (typeof name === "string" && isJsonObject(given)) return { name, given };
  throw new ProtocolError(
    INVALID_PARAMS,
    "Invalid tools/call request: name must be a string and arguments a JSON object",
  );
}
