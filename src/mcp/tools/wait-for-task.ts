import { z } from "zod";
import type { Tasks } from "../../service/tasks.ts";
import { clientGivenId, wholeNumber } from "./schemas/arguments.ts";
import { timestampOf } from "./schemas/output.ts";
import { presentTaskResult, taskResult } from "./schemas/task-result.ts";
import { waitForEnd } from "../tasks/waiting.ts";
import type { WaitingParts } from "../tasks/waiting.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Waits for a task's end, for clients that cannot receive a POST. Answers as get_task_result.",
  "If status is still pending or running, call it again.",
].join(" ");

const WAIT_MS_MAX = 3_600_000;

const input = z.strictObject({
  task_id: clientGivenId().describe("The task's id."),
  wait_ms: wholeNumber(0, WAIT_MS_MAX).optional().describe("Default and maximum: the server's RUN_TASK_WAIT_MS."),
});

export interface WaitForTaskParts extends WaitingParts {
  readonly tasks: Pick<Tasks, "find" | "read" | "untilEnded" | "onProgress">;
}

export function createWaitForTask(parts: WaitForTaskParts): Tool {
  return defineTool({
    name: "wait_for_task",
    title: "Wait for a task's end",
    description: DESCRIPTION,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    input,
    output: taskResult,
    async answer({ task_id, wait_ms = WAIT_MS_MAX }, request) {
      const task = await parts.tasks.find(request.principal, task_id);
      const runTaskWaitMs = Math.min(wait_ms, parts.runTaskWaitMs);
      await waitForEnd(request, task, null, { ...parts, runTaskWaitMs });
      const read = await parts.tasks.read(request.principal, task_id);
      return presentTaskResult(task_id, read, timestampOf(parts.clock));
    },
  });
}
