import { z } from "zod";
import { isTaskId } from "../../domain/ids.ts";
import { hasEnded } from "../../domain/task.ts";
import type { Task } from "../../domain/task.ts";
import type { McpRequest } from "../protocol/mcp-request.ts";
import { INTERNAL_ERROR, INVALID_PARAMS, ProtocolError } from "../errors.ts";
import type { MethodGroup } from "../protocol/methods.ts";
import type { TaskMethodsParts } from "./modern-methods.ts";
import { parseParams } from "./params.ts";
import { legacyTask, relatedResult } from "./shapes.ts";

const PAGE_TASKS_MAX = 20;

const taskParams = z.looseObject({ taskId: z.string() });
/** A cursor is the id of the last task on the page before. */
const listParams = z.looseObject({
  cursor: z.string().refine(isTaskId).optional(),
});

/** The experimental tasks of 2025-11-25, read from the same rows as all other tasks. */
export function createLegacyTaskMethods({ tasks, resultOf, ...terms }: TaskMethodsParts): MethodGroup {
  async function taskOf(name: string, { principal, params }: McpRequest): Promise<Task> {
    const { taskId } = parseParams(name, taskParams, params);
    const task = await tasks.findById(principal, taskId);
    if (task === null) throw new ProtocolError(INVALID_PARAMS, "Failed to retrieve task: Task not found");
    return task;
  }

  async function get(request: McpRequest) {
    return legacyTask(await taskOf("tasks/get", request), terms);
  }

  /** Waits for the end of the task as long as the client does. */
  async function result(request: McpRequest) {
    const task = await taskOf("tasks/result", request);
    const ended = await tasks.untilEnded(task, AbortSignal.any([request.signal(), request.stopping]));
    if (!hasEnded(ended)) throw new ProtocolError(INTERNAL_ERROR, "The server is stopping; ask again later");
    return relatedResult(ended, resultOf);
  }

  /** Only tasks that were started as MCP tasks: some clients show all at once, and a principal may have very many. */
  async function list({ principal, params }: McpRequest) {
    const { cursor = null } = parseParams("tasks/list", listParams, params);
    const page = await tasks.list({ principal, before: cursor, limit: PAGE_TASKS_MAX, onlyMcpTasks: true });
    const next = page.next === null ? {} : { nextCursor: page.next };
    return { tasks: page.tasks.map((task) => legacyTask(task, terms)), ...next };
  }

  async function cancel(request: McpRequest) {
    const { id } = await taskOf("tasks/cancel", request);
    const cancelled = await tasks.cancelById(request.principal, id);
    if (cancelled?.kind === "ended")
      throw new ProtocolError(INVALID_PARAMS, `Cannot cancel task: already in terminal status '${cancelled.status}'`);
    return get(request);
  }

  return {
    protocolVersion: "2025-11-25",
    capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    extensions: {},
    methods: [
      { name: "tasks/get", streams: false, answer: get },
      // A stream: its early head keeps proxies from giving the request up.
      { name: "tasks/result", streams: true, answersInJson: true, answer: result },
      { name: "tasks/list", streams: false, answer: list },
      { name: "tasks/cancel", streams: false, answer: cancel },
    ],
  };
}
