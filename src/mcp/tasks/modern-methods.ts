import { z } from "zod";
import type { Tasks } from "../../service/tasks.ts";
import type { McpRequest, Method } from "../protocol/mcp-request.ts";
import { INVALID_PARAMS, missingExtension, ProtocolError } from "../errors.ts";
import type { MethodGroup } from "../protocol/methods.ts";
import { createListen } from "./listen.ts";
import { parseParams } from "./params.ts";
import { detailedTask, TASKS_EXTENSION } from "./shapes.ts";
import type { ResultOf, TaskTerms } from "./shapes.ts";

export interface TaskMethodsParts extends TaskTerms {
  readonly tasks: Tasks;
  readonly resultOf: ResultOf;
}

const taskParams = z.looseObject({ taskId: z.string() });

/** The extension io.modelcontextprotocol/tasks of 2026-07-28 (SEP-2663). It has no `tasks/result` and no `tasks/list`. */
export function createModernTaskMethods(parts: TaskMethodsParts): MethodGroup {
  const { tasks, resultOf } = parts;
  const methods: Method[] = [
    method("tasks/get", async (request) => {
      const { taskId } = parseParams("tasks/get", taskParams, request.params);
      return detailedTask(known(await tasks.findById(request.principal, taskId)), parts, resultOf);
    }),
    // Tasks of this server never ask for input. The protocol wants an update without a request ignored.
    method("tasks/update", async (request) => {
      const { taskId } = parseParams("tasks/update", taskParams, request.params);
      known(await tasks.findById(request.principal, taskId));
      return {};
    }),
    method("tasks/cancel", async (request) => {
      const { taskId } = parseParams("tasks/cancel", taskParams, request.params);
      known(await tasks.cancelById(request.principal, taskId));
      return {};
    }),
    declared(createListen(parts)),
  ];
  return { protocolVersion: "2026-07-28", capabilities: {}, extensions: { [TASKS_EXTENSION]: {} }, methods };
}

function method(name: string, answer: Method["answer"]): Method {
  return declared({ name, streams: false, answer });
}

/** The same method, only for requests that declare the extension. */
function declared({ answer, ...rest }: Method): Method {
  return {
    ...rest,
    async answer(request: McpRequest) {
      if (!request.declares(TASKS_EXTENSION)) throw missingExtension(TASKS_EXTENSION);
      return answer(request);
    },
  };
}

/** Another principal's task is answered like one that does not exist. */
function known<Found>(found: Found | null): Found {
  if (found === null) throw new ProtocolError(INVALID_PARAMS, "Task not found");
  return found;
}
