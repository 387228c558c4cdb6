import { z } from "zod";
import { EVENT_NAMES } from "../../domain/event.ts";
import { endpointFaultOf } from "../../domain/subscription.ts";
import type { Clock } from "../../service/ports/clock.ts";
import { DELIVERIES_LISTED } from "../../service/subscriptions.ts";
import type { ListedEntry, Subscriptions } from "../../service/subscriptions.ts";
import { count, isoOf, isoTime, timestamp, timestampOf } from "./schemas/output.ts";
import { pageCursor, pageLimit } from "./schemas/arguments.ts";
import { deliverySchema, presentDelivery, presentOpenCircuit, openCircuitSchema } from "./schemas/delivery.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Lists your webhook subscriptions of MCP Events with their state and newest deliveries.",
  "redeliver takes a delivery_id from here, unregister_callback a callback_id.",
  "Callbacks of register_callback are in get_registered_callbacks.",
].join(" ");

const input = z.strictObject({
  limit: pageLimit("Subscriptions"),
  cursor: pageCursor().optional().describe("next_cursor of the page before."),
});

const subscription = z.object({
  subscription_id: z.string(),
  callback_id: z.string(),
  event: z.enum(EVENT_NAMES),
  task_id: z.string().describe("Null: every task of yours.").nullable(),
  callback_url: z.string(),
  status: z
    .enum(["active", "suspended", "expired", "ended"])
    .describe(
      "suspended: attempts failed for too long; deliveries wait for the next refresh. expired: not refreshed in time.",
    ),
  created_at: isoTime,
  refresh_before: isoTime.describe("When it ends unless it is refreshed; null: never.").nullable(),
  last_delivery_at: isoTime.describe("Null: none has succeeded.").nullable(),
  failing_since: isoTime.optional(),
  last_error: z.string().optional(),
  slow_lane: openCircuitSchema.optional(),
  deliveries: z.array(deliverySchema).describe(`The newest first, ${DELIVERIES_LISTED} at most.`),
});

const output = z.object({
  subscription_count: count.describe("Number of subscriptions in this answer."),
  timestamp,
  subscriptions: z.array(subscription).describe("The oldest first."),
  next_cursor: z.string().optional().describe("There are more: repeat the call with it as cursor."),
});

export function createListSubscriptions({
  subscriptions,
  clock,
}: {
  readonly subscriptions: Subscriptions;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "list_subscriptions",
    title: "List subscriptions of MCP Events",
    description: DESCRIPTION,
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    input,
    output,
    async answer({ limit, cursor }, { principal }) {
      const page = await subscriptions.list(principal, { limit, cursor });
      return {
        subscription_count: page.entries.length,
        timestamp: timestampOf(clock),
        subscriptions: page.entries.map(presentSubscription),
        ...(page.nextCursor !== null && { next_cursor: page.nextCursor }),
      };
    },
  });
}

function presentSubscription({ subscription: listed, openCircuit }: ListedEntry): z.input<typeof subscription> {
  const { lastDeliveryAt, failingSince, lastError } = listed.health;
  return {
    subscription_id: listed.id,
    callback_id: listed.callbackId,
    event: listed.name,
    task_id: listed.taskId,
    callback_url: listed.url,
    status: listed.status,
    created_at: isoOf(listed.createdAt),
    refresh_before: listed.expiresAt === null ? null : isoOf(listed.expiresAt),
    last_delivery_at: lastDeliveryAt === null ? null : isoOf(lastDeliveryAt),
    ...(failingSince !== null && { failing_since: isoOf(failingSince) }),
    ...(lastError !== null && { last_error: endpointFaultOf(lastError) }),
    ...presentOpenCircuit(openCircuit),
    deliveries: listed.deliveries.map(presentDelivery),
  };
}
