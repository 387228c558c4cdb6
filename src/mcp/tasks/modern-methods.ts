import { z } from "zod";
import type { Tasks } from "../../service/tasks.ts";
import type { Call, Method } from "../protocol/request.ts";
import { INVALID_PARAMS, missingExtension, RpcError } from "../errors.ts";
import type { MethodGroup } from "../protocol/methods.ts";
import { createListen } from "./listen.ts";
import { parseParams } from "./params.ts";
import { detailedTask, TASKS_EXTENSION } from "./shapes.ts";
import type { ResultOf, TaskTerms } from "./shapes.ts";

export interface TaskMethodsNeeds extends TaskTerms {
  readonly tasks: Tasks;
  readonly resultOf: ResultOf;
}

const taskParams = z.looseObject({ taskId: z.string() });

/** The extension io.modelcontextprotocol/tasks of 2026-07-28 (SEP-2663). `tasks/result` and `tasks/list` are no part of it. */
export function createModernTaskMethods(needs: TaskMethodsNeeds): MethodGroup {
  const { tasks, resultOf } = needs;
  const methods: Method[] = [
    method("tasks/get", async (call) => {
      const { taskId } = parseParams("tasks/get", taskParams, call.params);
      return detailedTask(known(await tasks.findById(call.principal, taskId)), needs, resultOf);
    }),
    // No task of ours asks for anything, so whatever is answered answers nothing: the protocol has that ignored.
    method("tasks/update", async (call) => {
      const { taskId } = parseParams("tasks/update", taskParams, call.params);
      known(await tasks.findById(call.principal, taskId));
      return {};
    }),
    method("tasks/cancel", async (call) => {
      const { taskId } = parseParams("tasks/cancel", taskParams, call.params);
      known(await tasks.cancelById(call.principal, taskId));
      return {};
    }),
    declared(createListen(needs)),
  ];
  return { era: "modern", capabilities: {}, extensions: { [TASKS_EXTENSION]: {} }, methods };
}

function method(name: string, call: Method["call"]): Method {
  return declared({ name, streams: false, call });
}

/** The same method for those who declare the extension with the request, and for nobody else. */
function declared({ call, ...rest }: Method): Method {
  return {
    ...rest,
    async call(asked: Call) {
      if (!asked.declares(TASKS_EXTENSION)) throw missingExtension(TASKS_EXTENSION);
      return call(asked);
    },
  };
}

/** Another principal's task is as unknown as one that never was. */
function known<Found>(found: Found | null): Found {
  if (found === null) throw new RpcError(INVALID_PARAMS, "Task not found");
  return found;
}
