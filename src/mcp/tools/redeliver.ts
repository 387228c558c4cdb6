import { z } from "zod";
import { DELIVERY_STATUSES } from "../../domain/delivery.ts";
import { REDELIVER_MAX } from "../../service/deliveries.ts";
import type { Deliveries, Redelivered } from "../../service/deliveries.ts";
import type { Clock } from "../../service/ports.ts";
import { count, timestamp, timestampOf } from "../answers.ts";
import { clientGivenId, ownId, pageCursor, pointInTime } from "../arguments.ts";
import { defineTool } from "../tool.ts";
import type { Tool } from "../tool.ts";

const DELIVERY_IDS_SHOWN_MAX = 100;

const DESCRIPTION = [
  "Sends deliveries again: one by delivery_id, or all that match of a callback or a task (unless status says otherwise, those that were exhausted or cancelled).",
  "The POST has the same webhook-id and body, a fresh timestamp and signature; the retry schedule starts anew and the history is kept.",
  "One that waits for a retry is sent now; one that is being sent is sent once more afterwards.",
  "A task_progress is never sent again.",
  "It answers as soon as that is stored; get_registered_callbacks shows what came of it.",
].join(" ");

const input = z.strictObject({
  delivery_id: ownId().optional().describe("One delivery, from get_registered_callbacks. Leave all others out then."),
  callback_id: ownId().optional().describe("All matching deliveries of this callback."),
  task_id: clientGivenId().optional().describe("All matching deliveries of this task's active callbacks."),
  status: z
    .enum(DELIVERY_STATUSES)
    .optional()
    .describe("Only those with this status. Default: exhausted and cancelled."),
  since: pointInTime().optional().describe("Only those that came to be at this time or later, ISO 8601."),
  cursor: pageCursor()
    .optional()
    .describe("next_cursor of the call before, the other arguments as they were. Default: from the start."),
});

const output = z.object({
  redelivered: count.describe("How many deliveries are sent again."),
  delivery_ids: z.array(z.string()).describe(`Which ones; the first ${DELIVERY_IDS_SHOWN_MAX}.`),
  passed_over: count.describe(
    "Matching deliveries that are not sent, since their callback is removed or disabled, or its not_after is past.",
  ),
  next_cursor: z
    .string()
    .optional()
    .describe(`There are more than ${REDELIVER_MAX} that match: call again with this cursor.`),
  message: z.string(),
  timestamp,
});

export function createRedeliver({
  deliveries,
  clock,
}: {
  readonly deliveries: Deliveries;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "redeliver",
    title: "Send deliveries again",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    input,
    output,
    async answer({ delivery_id, callback_id, task_id, status, since, cursor }, principal) {
      const ids = { deliveryId: delivery_id, callbackId: callback_id, taskId: task_id };
      const redelivered = await deliveries.redeliver(principal, { ...ids, status, since, cursor });
      const { deliveryIds, passedOver, nextCursor } = redelivered;
      return {
        redelivered: deliveryIds.length,
        delivery_ids: deliveryIds.slice(0, DELIVERY_IDS_SHOWN_MAX),
        passed_over: passedOver,
        ...(nextCursor !== null && { next_cursor: nextCursor }),
        message: messageOf(redelivered),
        timestamp: timestampOf(clock),
      };
    },
  });
}

function messageOf({ deliveryIds, passedOver }: Redelivered): string {
  const skipped =
    passedOver === 0
      ? ""
      : ` ${passedOver} were passed over: their callbacks are removed or disabled, or their not_after is past.`;
  return deliveryIds.length === 0
    ? `ℹ️ No delivery to send again.${skipped}`
    : `🔁 ${deliveryIds.length} deliveries are sent again, now; do not poll.${skipped}`;
}
