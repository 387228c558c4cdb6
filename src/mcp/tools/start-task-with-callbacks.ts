import { z } from "zod";
import type { Callback } from "../../domain/callback.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Completions } from "../../service/completions.ts";
import type { StartedTask, Tasks } from "../../service/tasks.ts";
import { DEFAULT_TASK_TYPE } from "../../service/tasks.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { clientGivenId, jsonObject, pointInTime, taskTypeName } from "./schemas/arguments.ts";
import { callbackAtStart, registrationOf } from "./schemas/callback-arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const CALLBACKS_AT_START_MAX = 100;

const DESCRIPTION = [
  "Starts a task and answers at once. When the task ends, each of its callbacks gets a signed HTTP POST: do not poll.",
  "The same call again finds the same task; new work needs a new task_id.",
].join(" ");

const input = z.strictObject({
  task_id: clientGivenId().describe("A new id of your choice."),
  client_id: clientGivenId().describe("Your name; data.started_by of the POST."),
  task_type: taskTypeName().optional().describe(`Default: ${DEFAULT_TASK_TYPE}.`),
  input: jsonObject.optional().describe('Data for the work. The demo task fails with { "fail": "some reason" }.'),
  start_after: pointInTime().optional().describe("Do not start before: ISO 8601 with zone, at most 30 days ahead."),
  completion_url: z
    .boolean()
    .optional()
    .describe("For work done outside: the answer has a URL that takes one POST of { result } or { error }."),
  callbacks: z
    .array(callbackAtStart)
    .min(1, { error: "must hold at least one callback, or be left out" })
    .max(CALLBACKS_AT_START_MAX, { error: `must hold at most ${CALLBACKS_AT_START_MAX} callbacks` })
    .optional()
    .describe("Registered in the same step, as with register_callback."),
});

const output = z.object({
  status: z
    .enum(["started", "pending", "running", "completed", "failed", "cancelled"])
    .describe("started; for a task that was already started, its own status."),
  task_id: z.string(),
  client_id: z.string(),
  message: z.string(),
  registered_callbacks: count.describe("Number of the task's callbacks now; later ones are notified too."),
  processing_time: z.string().describe("The usual time of this task type, or unknown."),
  completion_url: z
    .string()
    .optional()
    .describe(
      "A secret for the program that does the work. Works once, until it expires. Each call that asks for one gets another.",
    ),
  timestamp,
  callbacks: z
    .array(
      z.object({
        callback_id: z.string(),
        client_id: z.string(),
        callback_url: z.string(),
        signing_secret: z.string().describe("Verifies the POSTs (Standard Webhooks). Keep it."),
      }),
    )
    .optional()
    .describe("The callbacks of this call, in its order."),
});

export interface StartTaskParts {
  readonly tasks: Tasks;
  readonly completions: Pick<Completions, "issue">;
  readonly completionUrlOf: (token: string) => string;
  readonly clock: Pick<Clock, "now">;
}

export function createStartTaskWithCallbacks({ tasks, completions, completionUrlOf, clock }: StartTaskParts): Tool {
  return defineTool({
    name: "start_task_with_callbacks",
    title: "Start a task with callbacks",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    input,
    output,
    async answer(
      { task_id, client_id, task_type, input: data, start_after, completion_url, callbacks },
      { principal },
    ) {
      const issued = completion_url === true ? completions.issue() : null;
      const start = {
        taskId: task_id,
        clientId: client_id,
        taskType: task_type,
        input: data,
        startAfter: start_after,
        completion: issued?.completion,
        callbacks: callbacks?.map(registrationOf),
      };
      const started = await tasks.start(principal, start);
      return {
        status: started.kind === "started" ? ("started" as const) : started.task.status,
        task_id,
        client_id,
        message: messageOf(started),
        registered_callbacks: started.callbackCount,
        processing_time: processingTimeOf(started.expectedMs),
        ...(issued !== null && started.hasCompletion && { completion_url: completionUrlOf(issued.token) }),
        timestamp: timestampOf(clock),
        ...(callbacks !== undefined && { callbacks: started.callbacks.map(presentStartedCallback) }),
      };
    },
  });
}

function presentStartedCallback({ id, clientId, url, signingSecret }: Callback) {
  return { callback_id: id, client_id: clientId, callback_url: url, signing_secret: signingSecret };
}

function messageOf({ kind, task, callbackCount }: StartedTask): string {
  if (kind === "started") return `🚀 Task started! Will notify ${callbackCount} registered callbacks when complete.`;
  return `ℹ️ Task ${task.taskId} was already started and runs only once; its status is ${task.status}.`;
}

function processingTimeOf(expectedMs: number | null): string {
  return expectedMs === null ? "unknown" : `~${expectedMs / 1000} seconds`;
}
