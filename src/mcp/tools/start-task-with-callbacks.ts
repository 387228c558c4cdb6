import { z } from "zod";
import type { Callback } from "../../domain/callback.ts";
import type { Clock } from "../../service/ports.ts";
import type { Completions } from "../../service/completions.ts";
import type { StartedTask, Tasks } from "../../service/tasks.ts";
import { DEFAULT_TASK_TYPE } from "../../service/tasks.ts";
import { count, timestamp, timestampOf } from "../answers.ts";
import { clientGivenId, jsonObject, pointInTime, taskTypeName } from "../arguments.ts";
import { callbackArguments, registrationOf } from "../callback-arguments.ts";
import { defineTool } from "../tool.ts";
import type { Tool } from "../tool.ts";

const CALLBACKS_AT_START_MAX = 100;

const DESCRIPTION = [
  "Starts a task under an id of your choice and answers at once, the task already stored; when the task ends, every callback registered for its id gets a signed HTTP POST.",
  "Give callbacks with the call, or register with register_callback before or after; do not poll, the POST comes by itself.",
  "The same call again finds the task that runs instead of starting another; new work needs a new task_id.",
  "If a POST was missed, get_task_result has the result.",
].join(" ");

const input = z.strictObject({
  task_id: clientGivenId().describe("The new task's id, of your choice; callbacks are registered under the same id."),
  client_id: clientGivenId().describe("Your own name; the POST carries it as data.started_by."),
  task_type: taskTypeName()
    .optional()
    .describe(
      `What kind of work. Default: ${DEFAULT_TASK_TYPE}, which works for a while and ends with a constant result.`,
    ),
  input: jsonObject
    .optional()
    .describe(
      'The work\'s data: any JSON object. The demo task understands { "fail": "some reason" }, which makes it end as task_failed.',
    ),
  start_after: pointInTime()
    .optional()
    .describe("Not to be begun before: ISO 8601 with zone, at most 30 days ahead. Default: at once."),
  completion_url: z
    .boolean()
    .optional()
    .describe(
      "true: the answer has a completion_url, and whoever gets it from you does the work: one POST of { result } or { error } to it ends the task. Only for types that are done outside, such as external. Default: false.",
    ),
  callbacks: z
    .array(z.strictObject(callbackArguments))
    .min(1, { error: "must hold at least one callback, or be left out" })
    .max(CALLBACKS_AT_START_MAX, { error: `must hold at most ${CALLBACKS_AT_START_MAX} callbacks` })
    .optional()
    .describe(
      "Callbacks to register with the task, as register_callback does, in one step with the start: either all is stored or nothing.",
    ),
});

const output = z.object({
  status: z
    .enum(["started", "pending", "running", "completed", "failed", "cancelled"])
    .describe("started; when the task had been started before, its own status."),
  task_id: z.string(),
  client_id: z.string(),
  message: z.string(),
  registered_callbacks: count.describe("How many callbacks the task has now; later ones are notified too."),
  processing_time: z.string().describe("How long this type of task usually takes, or unknown."),
  completion_url: z
    .string()
    .optional()
    .describe("Works once and not for ever; a secret for whoever does the work. Another each time it is asked for."),
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
    .describe("Those that came with the start, in its order."),
});

export interface StartTaskNeeds {
  readonly tasks: Tasks;
  readonly completions: Pick<Completions, "issue">;
  readonly completionUrlOf: (token: string) => string;
  readonly clock: Pick<Clock, "now">;
}

export function createStartTaskWithCallbacks({ tasks, completions, completionUrlOf, clock }: StartTaskNeeds): Tool {
  return defineTool({
    name: "start_task_with_callbacks",
    title: "Start a task with callbacks",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    input,
    output,
    async answer({ task_id, client_id, task_type, input: data, start_after, completion_url, callbacks }, principal) {
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
        ...(callbacks !== undefined && { callbacks: started.callbacks.map(toldOf) }),
      };
    },
  });
}

function toldOf({ id, clientId, url, signingSecret }: Callback) {
  return { callback_id: id, client_id: clientId, callback_url: url, signing_secret: signingSecret };
}

function messageOf({ kind, task, callbackCount }: StartedTask): string {
  if (kind === "started") return `🚀 Task started! Will notify ${callbackCount} registered callbacks when complete.`;
  return `ℹ️ Task ${task.taskId} was already started and runs only once; its status is ${task.status}.`;
}

function processingTimeOf(expectedMs: number | null): string {
  return expectedMs === null ? "unknown" : `~${expectedMs / 1000} seconds`;
}
