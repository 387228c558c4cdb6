import { z } from "zod";
import type { Callback } from "../../domain/callback.ts";
import { WHY_DISABLED } from "../../service/callbacks.ts";
import type { Callbacks, Registered } from "../../service/callbacks.ts";
import type { Clock } from "../../service/ports/clock.ts";
import { count, isoTime, presentNotAfter, timestamp, timestampOf } from "./schemas/output.ts";
import { clientGivenId } from "./schemas/arguments.ts";
import { callbackArguments, registrationOf } from "./schemas/callback-arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Registers a webhook URL for a task: when the task ends, the server sends it one signed HTTP POST, with retries.",
  "Call it before or after start_task_with_callbacks; for a task that has ended the POST is sent at once.",
  "Keep signing_secret: it verifies the POST, and no other answer shows it.",
  "Do not poll. The same call again changes nothing.",
].join(" ");

const input = z.strictObject({
  task_id: clientGivenId().describe("The task. It need not exist yet."),
  ...callbackArguments,
});

const output = z.object({
  status: z.literal("registered"),
  task_id: z.string(),
  client_id: z.string(),
  callback_url: z.string(),
  message: z.string(),
  registered_callbacks: count.describe("Number of the task's callbacks, this one included."),
  timestamp,
  callback_id: z.string(),
  signing_secret: z.string().describe("Verifies the POSTs (Standard Webhooks). No other answer shows it."),
  not_after: isoTime.optional().describe("No attempt starts from then on; absent: no such time was given."),
});

export function createRegisterCallback({
  callbacks,
  clock,
}: {
  readonly callbacks: Callbacks;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "register_callback",
    title: "Register a callback",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    input,
    output,
    async answer({ task_id, ...given }, { principal }) {
      const { client_id, callback_url } = given;
      const registered = await callbacks.register(principal, { taskId: task_id, ...registrationOf(given) });
      return {
        status: "registered" as const,
        task_id,
        client_id,
        callback_url,
        message: messageOf(task_id, registered),
        registered_callbacks: registered.callbackCount,
        timestamp: timestampOf(clock),
        callback_id: registered.callback.id,
        signing_secret: registered.callback.signingSecret,
        ...presentNotAfter(registered.callback),
      };
    },
  });
}

function messageOf(taskId: string, { callback, isNew, ended }: Registered): string {
  if (callback.status !== "active") {
    const why = WHY_DISABLED[callback.health.disabledReason ?? "gone"];
    return `⚠️ This callback was already registered and is disabled because ${why}: nothing is sent to ${callback.url}. Enable it with enable_callback, or register another callback_url.`;
  }
  if (ended === null)
    return `✅ Callback registered! You'll receive HTTP POST to ${callback.url} ${occasionOf(taskId, callback)}.`;
  if (!isNew) {
    return `✅ Callback registered! It was already registered when task ${taskId} ended with ${ended.event}; get_registered_callbacks shows what was sent to ${callback.url}.`;
  }
  return ended.selected
    ? `✅ Callback registered! Task ${taskId} has already ended with ${ended.event}: the HTTP POST to ${callback.url} is sent now.`
    : `✅ Callback registered, but task ${taskId} has already ended with ${ended.event}, which this callback did not select: nothing will be sent.`;
}

function occasionOf(taskId: string, { events }: Callback): string {
  if (!events.includes("task_progress")) return `when task ${taskId} completes`;
  return events.length === 1
    ? `on the progress of task ${taskId}, and not when it ends`
    : `on the progress of task ${taskId} and when it completes`;
}
