import { z } from "zod";
import type { Clock } from "../../service/ports/clock.ts";
import type { CancelledTask, Tasks } from "../../service/tasks.ts";
import { timestamp, timestampOf } from "./schemas/output.ts";
import { clientGivenId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Cancels a pending or running task; its callbacks get a POST of type task_cancelled.",
  "A task that has already ended stays as it is, and status says how it ended. Work that is done is not undone.",
].join(" ");

const input = z.strictObject({
  task_id: clientGivenId().describe("The task's id."),
});

const output = z.object({
  status: z
    .enum(["cancelled", "completed", "failed"])
    .describe("How the task ended: cancelled, unless it had ended before."),
  task_id: z.string(),
  message: z.string(),
  timestamp,
});

export function createCancelTask({
  tasks,
  clock,
}: {
  readonly tasks: Tasks;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "cancel_task",
    title: "Cancel a task",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
    input,
    output,
    async answer({ task_id }, { principal }) {
      const cancelled = await tasks.cancel(principal, task_id);
      return {
        status: cancelled.status,
        task_id,
        message: messageOf(task_id, cancelled),
        timestamp: timestampOf(clock),
      };
    },
  });
}

function messageOf(taskId: string, { kind, status, deliveryCount }: CancelledTask): string {
  if (kind === "cancelled") return `🚫 Task cancelled! Notifying ${deliveryCount} registered callbacks.`;
  return `ℹ️ Task ${taskId} had already ended and stays as it is; its status is ${status}.`;
}
