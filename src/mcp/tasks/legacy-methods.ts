import { z } from "zod";
import { isTaskId } from "../../domain/ids.ts";
import { hasEnded } from "../../domain/task.ts";
import type { Task } from "../../domain/task.ts";
import type { Call } from "../protocol/request.ts";
import { INTERNAL_ERROR, INVALID_PARAMS, RpcError } from "../errors.ts";
import type { MethodGroup } from "../protocol/methods.ts";
import type { TaskMethodsNeeds } from "./modern-methods.ts";
import { parseParams } from "./params.ts";
import { legacyTask, relatedResult } from "./shapes.ts";

const PAGE_TASKS_MAX = 20;

const taskParams = z.looseObject({ taskId: z.string() });
/** A cursor is the id with which the page before ended. */
const listParams = z.looseObject({
  cursor: z.string().refine(isTaskId).optional(),
});

/** The experimental tasks of 2025-11-25, on the same rows as everything else. */
export function createLegacyTaskMethods({ tasks, resultOf, ...terms }: TaskMethodsNeeds): MethodGroup {
  async function taskOf(name: string, { principal, params }: Call): Promise<Task> {
    const { taskId } = parseParams(name, taskParams, params);
    const task = await tasks.findById(principal, taskId);
    if (task === null) throw new RpcError(INVALID_PARAMS, "Failed to retrieve task: Task not found");
    return task;
  }

  async function get(call: Call) {
    return legacyTask(await taskOf("tasks/get", call), terms);
  }

  /** Waits for the end, for as long as its client does. */
  async function result(call: Call) {
    const task = await taskOf("tasks/result", call);
    const ended = await tasks.untilEnded(task, AbortSignal.any([call.signal, call.closing]));
    if (!hasEnded(ended)) throw new RpcError(INTERNAL_ERROR, "The server stops; ask again when it is back");
    return relatedResult(ended, resultOf);
  }

  /** Those that were asked for as MCP tasks: a client that shows them all at once could not take every task of its principal. */
  async function list({ principal, params }: Call) {
    const { cursor = null } = parseParams("tasks/list", listParams, params);
    const page = await tasks.list({ principal, before: cursor, limit: PAGE_TASKS_MAX, onlyMcpTasks: true });
    const next = page.next === null ? {} : { nextCursor: page.next };
    return { tasks: page.tasks.map((task) => legacyTask(task, terms)), ...next };
  }

  async function cancel(call: Call) {
    const { id } = await taskOf("tasks/cancel", call);
    const cancelled = await tasks.cancelById(call.principal, id);
    if (cancelled?.kind === "ended")
      throw new RpcError(INVALID_PARAMS, `Cannot cancel task: already in terminal status '${cancelled.status}'`);
    return get(call);
  }

  return {
    era: "legacy",
    capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    extensions: {},
    methods: [
      { name: "tasks/get", streams: false, call: get },
      // A stream, so that whatever lies between knows that there will be an answer.
      { name: "tasks/result", streams: true, answersInJson: true, call: result },
      { name: "tasks/list", streams: false, call: list },
      { name: "tasks/cancel", streams: false, call: cancel },
    ],
  };
}
