/** What get_task_result and wait_for_task answer. */
import { z } from "zod";
import { isEnd } from "../../../domain/task.ts";
import type { TaskStatus } from "../../../domain/task.ts";
import type { Clock } from "../../../service/ports/clock.ts";
import type { Tasks } from "../../../service/tasks.ts";
import { anyJson, timestamp, timestampOf } from "./answers.ts";

const DO_NOT_POLL =
  "do not poll: registered callbacks get their HTTP POST by itself when it ends, and wait_for_task waits for that.";

const MESSAGES: Record<TaskStatus, string> = {
  pending: `⏳ Task is waiting to run; ${DO_NOT_POLL}`,
  running: `🔨 Task is running; ${DO_NOT_POLL}`,
  completed: "✅ Task completed!",
  failed: "❌ Task failed",
  cancelled: "🚫 Task cancelled",
};

export const taskReading = z.object({
  task_id: z.string(),
  status: z.enum(["pending", "running", "completed", "failed", "cancelled"]),
  result: anyJson.describe("What the task returned, any JSON value; null until it is completed."),
  error: z
    .string()
    .optional()
    .describe("Why the task failed or was cancelled; of a pending one, why its last run failed."),
  progress: z
    .object({
      done: z.number(),
      total: z.number().describe("Null: unknown.").nullable(),
      message: z.string().describe("Null: none.").nullable(),
    })
    .optional()
    .describe("While it has not ended: the last progress that it reported, in units of its own."),
  message: z.string(),
  timestamp,
});

export interface TaskReadingNeeds {
  readonly tasks: Pick<Tasks, "read">;
  readonly clock: Pick<Clock, "now">;
}

/** As the task is now. Throws `not_found` for one that was never started. */
export async function readTask(
  principal: string,
  taskId: string,
  { tasks, clock }: TaskReadingNeeds,
): Promise<z.input<typeof taskReading>> {
  const { status, result, error, progress } = await tasks.read(principal, taskId);
  return {
    task_id: taskId,
    status,
    result,
    ...(error !== null && { error }),
    // How far it had come is of no interest once it has ended.
    ...(progress !== null && !isEnd(status) && { progress }),
    message: MESSAGES[status],
    timestamp: timestampOf(clock),
  };
}
