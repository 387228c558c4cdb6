import { z } from "zod";
import type { Clock } from "../../service/ports.ts";
import type { CancelledTask, Tasks } from "../../service/tasks.ts";
import { timestamp, timestampOf } from "../answers.ts";
import { clientGivenId } from "../arguments.ts";
import { defineTool } from "../tool.ts";
import type { Tool } from "../tool.ts";

const DESCRIPTION = [
  "Ends a task that is waiting or running: its work is interrupted or never begun, and every callback registered for it gets a signed HTTP POST of type task_cancelled.",
  "A task that has ended already stays as it is, and the answer's status says how it ended; so the same call again is safe.",
  "What the work has done before stays done.",
].join(" ");

const input = z.strictObject({
  task_id: clientGivenId().describe("The id the task was started with."),
});

const output = z.object({
  status: z
    .enum(["cancelled", "completed", "failed"])
    .describe("How the task has ended: cancelled, unless it had ended before."),
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
    async answer({ task_id }, principal) {
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
