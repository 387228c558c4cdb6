import { z } from "zod";
import { CALLBACK_URL_CHARS_MAX } from "../../domain/callback.ts";
import { EVENT_TYPES } from "../../domain/event.ts";
import { WHY_DISABLED } from "../../service/callbacks.ts";
import type { Callbacks, Registered } from "../../service/callbacks.ts";
import type { Clock } from "../../service/ports.ts";
import { count, isoTime, notAfterOf, timestamp, timestampOf } from "../answers.ts";
import { clientGivenId } from "../arguments.ts";
import { defineTool } from "../tool.ts";
import type { Tool } from "../tool.ts";

const DESCRIPTION = [
  "Registers a webhook URL for a task id: when that task ends, the server sends one signed HTTP POST to the URL, retried until it gets through.",
  "Call it before start_task_with_callbacks (the task need not exist yet), while the task runs, or after its end (the POST is then sent at once).",
  "A task can have several callbacks; the same call again changes nothing and gives the same answer.",
  "Keep signing_secret: no other answer shows it, and the receiver needs it to verify the Standard Webhooks signature.",
  "Afterwards do not poll: the POST comes by itself.",
].join(" ");

const input = z.strictObject({
  task_id: clientGivenId().describe("The task to hear about, by the id its starter uses. It need not exist yet."),
  client_id: clientGivenId().describe("Your own name; the POST carries it as data.client_id."),
  // Judged by the domain, whose sentence says what is wrong with it.
  callback_url: z
    .string()
    .meta({ format: "uri", maxLength: CALLBACK_URL_CHARS_MAX })
    .describe(
      `Where to send the POST: an absolute http or https URL of at most ${CALLBACK_URL_CHARS_MAX} characters, without user information and fragment.`,
    ),
  secret: z
    .string()
    .optional()
    .describe("The signing secret: whsec_ and the base64 of 24 to 64 random bytes. Leave it out to get a new one."),
  events: z
    .array(z.enum(EVENT_TYPES))
    .min(1, { error: "must name at least one event, or be left out for all" })
    .max(EVENT_TYPES.length, { error: `must name at most ${EVENT_TYPES.length} events` })
    .optional()
    .describe("Which ends of the task to hear about. Default: all three."),
  // Judged by the domain, as the URL is.
  not_after: z
    .string()
    .meta({ format: "date-time" })
    .optional()
    .describe(
      "When the POST is of no use any more: ISO 8601 with zone, at most 30 days ahead. No attempt is begun from then on, and retries come sooner to fit. Default: none, the retry schedule alone decides.",
    ),
});

const output = z.object({
  status: z.literal("registered"),
  task_id: z.string(),
  client_id: z.string(),
  callback_url: z.string(),
  message: z.string(),
  registered_callbacks: count.describe("How many callbacks the task has, this one included."),
  timestamp,
  callback_id: z.string(),
  signing_secret: z.string().describe("Verifies the POSTs (Standard Webhooks). Shown here only."),
  not_after: isoTime.optional().describe("When no attempt is begun any more, if the registration says."),
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
    async answer({ task_id, client_id, callback_url, secret, events, not_after }, principal) {
      const request = { taskId: task_id, clientId: client_id, url: callback_url, secret, events, notAfter: not_after };
      const registered = await callbacks.register(principal, request);
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
        ...notAfterOf(registered.callback),
      };
    },
  });
}

function messageOf(taskId: string, { callback, isNew, ended }: Registered): string {
  if (callback.status !== "active") {
    const why = WHY_DISABLED[callback.health.disabledReason ?? "gone"];
    return `⚠️ This callback was registered before and is disabled, since ${why}, so nothing more is sent to ${callback.url}; enable it with enable_callback, or register another callback_url.`;
  }
  if (ended === null) {
    return `✅ Callback registered! You'll receive HTTP POST to ${callback.url} when task ${taskId} completes.`;
  }
  if (!isNew) {
    return `✅ Callback registered! It was there before task ${taskId} ended with ${ended.event}; get_registered_callbacks shows what was sent to ${callback.url}.`;
  }
  return ended.selected
    ? `✅ Callback registered! Task ${taskId} has already ended with ${ended.event}: the HTTP POST to ${callback.url} is sent now.`
    : `✅ Callback registered, but task ${taskId} has already ended with ${ended.event}, which this callback did not select: nothing will be sent.`;
}
