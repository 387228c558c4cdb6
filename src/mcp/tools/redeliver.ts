import { z } from "zod";
import { DELIVERY_STATUSES } from "../../domain/delivery.ts";
import { REDELIVER_MAX } from "../../service/deliveries.ts";
import type { Deliveries, Redelivered } from "../../service/deliveries.ts";
import type { Clock } from "../../service/ports/clock.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { clientGivenId, ownId, pageCursor, pointInTime } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DELIVERY_IDS_SHOWN_MAX = 100;

const DESCRIPTION = [
  "Sends deliveries again: one by delivery_id, or all that match of a callback or a task.",
  "webhook-id and body stay the same, timestamp and signature are new, and the retry schedule starts again.",
  "task_progress is never sent again. get_registered_callbacks shows the outcome.",
].join(" ");

const input = z.strictObject({
  delivery_id: ownId().optional().describe("From get_registered_callbacks. Give no other argument."),
  callback_id: ownId().optional().describe("All that match of this callback."),
  task_id: clientGivenId().optional().describe("All that match of this task's active callbacks."),
  status: z.enum(DELIVERY_STATUSES).optional().describe("Default: exhausted and cancelled."),
  since: pointInTime().optional().describe("Only deliveries created since then: ISO 8601 with zone."),
  cursor: pageCursor().optional().describe("next_cursor of the call before; other arguments as before."),
});

const output = z.object({
  redelivered: count.describe("Number of deliveries that are sent again."),
  delivery_ids: z.array(z.string()).describe(`Their ids, ${DELIVERY_IDS_SHOWN_MAX} at most.`),
  passed_over: count.describe(
    "Number of matching deliveries that are not sent: their callback is removed or disabled, or its not_after is past.",
  ),
  next_cursor: z.string().optional().describe(`More than ${REDELIVER_MAX} match: repeat the call with it as cursor.`),
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
    async answer({ delivery_id, callback_id, task_id, status, since, cursor }, { principal }) {
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
