import { z } from "zod";
import { NOT_ISSUED } from "../../domain/cursor.ts";
import { isTaskId } from "../../domain/ids.ts";
import { PAGE_BYTES_MAX } from "../../service/pages.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskSummary } from "../../service/ports/task-store.ts";
import type { Tasks } from "../../service/tasks.ts";
import { count, isoOf, isoTime, timestamp, timestampOf } from "./schemas/output.ts";
import { clientGivenId, pageCursor, pageLimit, taskTypeName } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

/** About the size of a task's JSON in an answer, without its error. */
const TASK_BYTES = 500;
const STATUSES = ["pending", "running", "completed", "failed", "cancelled"] as const;

const DESCRIPTION = [
  "Lists your tasks, the newest first, without inputs and results.",
  "A page may be short: go on until next_cursor is null.",
].join(" ");

const input = z.strictObject({
  status: z.enum(STATUSES).optional().describe("Only tasks with this status."),
  task_type: taskTypeName().optional().describe("Only tasks of this type."),
  client_id: clientGivenId().optional().describe("Only tasks started by this client."),
  limit: pageLimit("Tasks"),
  cursor: pageCursor()
    .refine(isTaskId, { error: NOT_ISSUED })
    .optional()
    .describe("next_cursor of the page before; other arguments as before."),
});

const output = z.object({
  tasks: z.array(
    z.object({
      task_id: z.string(),
      client_id: z.string(),
      task_type: z.string(),
      status: z.enum(STATUSES),
      runs: count.describe("Number of runs so far."),
      error: z
        .string()
        .optional()
        .describe("Why it failed or was cancelled; of a pending one, why its last run failed."),
      created_at: isoTime,
      due_at: isoTime.optional().describe("Of a pending task: it does not start before."),
      started_at: isoTime.nullable(),
      finished_at: isoTime.nullable(),
    }),
  ),
  next_cursor: z.string().describe("Pass it as cursor to go on; null: that was all.").nullable(),
  timestamp,
});

export function createListTasks({ tasks, clock }: { readonly tasks: Tasks; readonly clock: Pick<Clock, "now"> }): Tool {
  return defineTool({
    name: "list_tasks",
    title: "List tasks",
    description: DESCRIPTION,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    input,
    output,
    async answer({ status, task_type, client_id, limit, cursor }, { principal }) {
      const filter = { status, taskType: task_type, clientId: client_id };
      const page = await tasks.list({ principal, before: cursor ?? null, limit, ...filter });
      const tasksShown = withinBytes(page.tasks);
      const next = tasksShown.length < page.tasks.length ? (tasksShown.at(-1)?.id ?? null) : page.next;
      return { tasks: tasksShown.map(presentTask), next_cursor: next, timestamp: timestampOf(clock) };
    },
  });
}

/** At least one task. Errors may be long. */
function withinBytes(found: readonly TaskSummary[]): readonly TaskSummary[] {
  let bytes = 0;
  const end = found.findIndex(({ error }) => (bytes += TASK_BYTES + (error?.length ?? 0)) > PAGE_BYTES_MAX);
  return end === -1 ? found : found.slice(0, Math.max(end, 1));
}

function presentTask(task: TaskSummary) {
  const { taskId, clientId, taskType, status, runCount, error, createdAt, dueAt, startedAt, finishedAt } = task;
  return {
    task_id: taskId,
    client_id: clientId,
    task_type: taskType,
    status,
    runs: runCount,
    ...(error !== null && { error }),
    created_at: isoOf(createdAt),
    ...(status === "pending" && { due_at: isoOf(dueAt) }),
    started_at: startedAt === null ? null : isoOf(startedAt),
    finished_at: finishedAt === null ? null : isoOf(finishedAt),
  };
}
