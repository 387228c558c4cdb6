import { z } from "zod";
import type { CallbackRecord } from "../../domain/callback-health.ts";
import { DELIVERY_STATUSES } from "../../domain/delivery.ts";
import type { Deliveries, ListedCallback } from "../../service/deliveries.ts";
import type { Clock } from "../../service/ports/clock.ts";
import { count, isoOf, isoTime, presentNotAfter, timestamp, timestampOf } from "./schemas/output.ts";
import { clientGivenId, pageCursor, pageLimit, pointInTime } from "./schemas/arguments.ts";
import { deliverySchema, presentDelivery, presentOpenCircuit, openCircuitSchema } from "./schemas/delivery.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION =
  "Lists a task's callbacks with their deliveries and attempts: why a POST did not arrive, when the next attempt is.";

const input = z.strictObject({
  task_id: clientGivenId().describe("The task's id."),
  limit: pageLimit("Callbacks"),
  cursor: pageCursor().optional().describe("next_cursor of the page before; other arguments as before."),
  status: z
    .enum(DELIVERY_STATUSES)
    .optional()
    .describe("Only deliveries with this status, and callbacks that have some."),
  since: pointInTime()
    .optional()
    .describe("Only deliveries created since then, and callbacks that have some: ISO 8601 with zone."),
});

const callback = z.object({
  callback_id: z.string(),
  client_id: z.string(),
  callback_url: z.string(),
  registered_at: isoTime,
  status: z.enum(["active", "disabled", "removed"]),
  not_after: isoTime.optional().describe("No attempt starts from then on; absent: no such time was given."),
  disabled_reason: z
    .enum(["gone", "failing"])
    .optional()
    .describe(
      "gone: the receiver answered 410. failing: attempts failed for too long; deliveries wait until it is enabled.",
    ),
  disabled_at: isoTime.optional(),
  failing_since: isoTime.optional().describe("When attempts began to fail; none has succeeded since."),
  last_error: z.string().optional().describe("The error of the last attempt."),
  last_delivery_at: isoTime.optional().describe("When a delivery last succeeded."),
  slow_lane: openCircuitSchema.optional(),
  deliveries: z.array(deliverySchema),
});

const output = z.object({
  task_id: z.string(),
  callback_count: count.describe("Number of callbacks on all pages."),
  timestamp,
  callbacks: z.array(callback).describe("The oldest first."),
  next_cursor: z.string().optional().describe("There are more: repeat the call with it as cursor."),
});

export function createGetRegisteredCallbacks({
  deliveries,
  clock,
}: {
  readonly deliveries: Deliveries;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "get_registered_callbacks",
    title: "List a task's callbacks",
    description: DESCRIPTION,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    input,
    output,
    async answer({ task_id, ...page }, { principal }) {
      const { callbacks, callbackCount, nextCursor } = await deliveries.historyOf(principal, task_id, page);
      return {
        task_id,
        callback_count: callbackCount,
        timestamp: timestampOf(clock),
        callbacks: callbacks.map(presentCallback),
        ...(nextCursor !== null && { next_cursor: nextCursor }),
      };
    },
  });
}

function presentCallback(history: ListedCallback): z.input<typeof callback> {
  const { id, clientId, url, registeredAt, status } = history.callback;
  return {
    callback_id: id,
    client_id: clientId,
    callback_url: url,
    registered_at: isoOf(registeredAt),
    status,
    ...presentNotAfter(history.callback),
    ...presentHealth(history.callback.health),
    ...presentOpenCircuit(history.openCircuit),
    deliveries: history.deliveries.map(presentDelivery),
  };
}

/** No keys for a callback without failures. */
function presentHealth({ failingSince, lastError, lastDeliveryAt, disabledReason, disabledAt }: CallbackRecord) {
  if (failingSince === null && disabledAt === null) return {};
  return {
    ...(disabledReason !== null && { disabled_reason: disabledReason }),
    ...(disabledAt !== null && { disabled_at: isoOf(disabledAt) }),
    ...(failingSince !== null && { failing_since: isoOf(failingSince) }),
    ...(lastError !== null && { last_error: lastError }),
    ...(lastDeliveryAt !== null && { last_delivery_at: isoOf(lastDeliveryAt) }),
  };
}
