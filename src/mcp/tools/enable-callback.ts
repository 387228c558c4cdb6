import { z } from "zod";
import { WHY_DISABLED } from "../../service/callbacks.ts";
import type { EnableCallbackResult } from "../../service/ports/callback-store.ts";
import type { Callbacks } from "../../service/callbacks.ts";
import type { Clock } from "../../service/ports/clock.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { ownId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Makes a disabled callback active again. It was disabled because its attempts kept failing, or because its receiver answered 410.",
  "Waiting deliveries are sent now; deliveries that a 410 ended need redeliver.",
  "A removed callback needs register_callback.",
].join(" ");

const input = z.strictObject({
  callback_id: ownId().describe("From register_callback."),
});

const output = z.object({
  status: z.literal("active"),
  callback_id: z.string(),
  task_id: z.string().describe("Null: it is for every task.").nullable(),
  client_id: z.string(),
  callback_url: z.string(),
  resumed_deliveries: count.describe("Deliveries that had waited and are sent now."),
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
    async answer({ callback_id }, { principal }) {
      const result = await callbacks.enable(principal, callback_id);
      const { callback } = result;
      return {
        status: "active" as const,
        callback_id: callback.id,
        task_id: callback.taskId,
        client_id: callback.clientId,
        callback_url: callback.url,
        resumed_deliveries: result.enabled?.resumedCount ?? 0,
        message: messageOf(result),
        timestamp: timestampOf(clock),
      };
    },
  });
}

function messageOf({ callback, enabled }: EnableCallbackResult): string {
  if (enabled === null) return `🔌 Callback was already active: POSTs go to ${callback.url}.`;
  const { reason, resumedCount } = enabled;
  const rest =
    resumedCount === 0
      ? "Use redeliver for deliveries that were not sent."
      : `${resumedCount} waiting deliveries are sent now.`;
  return `🔌 Callback active: POSTs go to ${callback.url} again. It was disabled because ${WHY_DISABLED[reason]}. ${rest}`;
}
