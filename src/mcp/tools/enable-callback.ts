import { z } from "zod";
import type { Callbacks } from "../../service/callbacks.ts";
import type { Clock } from "../../service/ports.ts";
import { timestamp, timestampOf } from "../answers.ts";
import { ownId } from "../arguments.ts";
import { defineTool } from "../tool.ts";
import type { Tool } from "../tool.ts";

const DESCRIPTION = [
  "Makes a callback active again that was disabled because its receiver answered 410 Gone.",
  "Deliveries that ended with it are not sent by this: use redeliver for them afterwards.",
  "A callback that is active already stays as it is; a removed one is brought back by register_callback.",
  "A send_test_event that gets through does the same.",
].join(" ");

const input = z.strictObject({
  callback_id: ownId().describe("The callback, as register_callback returned it."),
});

const output = z.object({
  status: z.literal("active"),
  callback_id: z.string(),
  task_id: z.string().describe("Null: it is for any task.").nullable(),
  client_id: z.string(),
  callback_url: z.string(),
  message: z.string(),
  timestamp,
});

export function createEnableCallback({
  callbacks,
  clock,
}: {
  readonly callbacks: Callbacks;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "enable_callback",
    title: "Enable a callback",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    input,
    output,
    async answer({ callback_id }, principal) {
      const callback = await callbacks.enable(principal, callback_id);
      return {
        status: "active" as const,
        callback_id: callback.id,
        task_id: callback.taskId,
        client_id: callback.clientId,
        callback_url: callback.url,
        message: `🔌 Callback active: POSTs go to ${callback.url} again. Use redeliver for what was not sent.`,
        timestamp: timestampOf(clock),
      };
    },
  });
}
