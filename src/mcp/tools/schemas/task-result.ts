/** The answer of get_task_result and wait_for_task. */
import { z } from "zod";
import { isEnd } from "../../../domain/task.ts";
import type { TaskReading, TaskStatus } from "../../../domain/task.ts";
import { anyJson, timestamp } from "./output.ts";

const DO_NOT_POLL =
  "do not poll: the registered callbacks get their HTTP POST when it ends, and wait_for_task waits for it.";

const MESSAGES: Record<TaskStatus, string> = {
  pending: `⏳ Task is waiting to run; ${DO_NOT_POLL}`,
  running: `🔨 Task is running; ${DO_NOT_POLL}`,
  completed: "✅ Task completed!",
  failed: "❌ Task failed",
  cancelled: "🚫 Task cancelled",
};

export const taskResult = z.object({
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
    .describe("The last progress that the task reported, in its own units; absent once it has ended."),
  message: z.string(),
  timestamp,
});

/** `now`: the time of the answer, ISO 8601. */
export function presentTaskResult(
  taskId: string,
  { status, result, error, progress }: TaskReading,
  now: string,
): z.input<typeof taskResult> {
  return {
    task_id: taskId,
    status,
    result,
    ...(error !== null && { error }),
    ...(progress !== null && !isEnd(status) && { progress }),
    message: MESSAGES[status],
    timestamp: now,
  };
}
