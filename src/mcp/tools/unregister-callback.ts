import { z } from "zod";
import { DomainError } from "../../domain/errors.ts";
import type { CallbackKey } from "../../service/ports/callback-store.ts";
import type { Callbacks } from "../../service/callbacks.ts";
import type { Clock } from "../../service/ports/clock.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { callbackUrl, clientGivenId, ownId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Removes a callback: no further POST is sent to it, no retry either; a request under way may still arrive.",
  "Give callback_id, or task_id, client_id and callback_url together.",
  "It stays listed as removed; register_callback makes it active again, with a new signing_secret.",
].join(" ");

const input = z.strictObject({
  callback_id: ownId().optional().describe("From register_callback. Give no other argument."),
  task_id: clientGivenId().optional().describe("The task it was registered for."),
  client_id: clientGivenId().optional().describe("The client_id it was registered with."),
  callback_url: callbackUrl().optional().describe("The URL it was registered with."),
});

const output = z.object({
  status: z.literal("removed"),
  callback_id: z.string(),
  task_id: z.string().describe("Null: it was for every task.").nullable(),
  client_id: z.string(),
  callback_url: z.string(),
  cancelled_deliveries: count.describe("Open deliveries that are no longer sent."),
  message: z.string(),
  timestamp,
});

export function createUnregisterCallback({
  callbacks,
  clock,
}: {
  readonly callbacks: Callbacks;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "unregister_callback",
    title: "Unregister a callback",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    input,
    output,
    async answer(given, { principal }) {
      const { callback, cancelledCount } = await callbacks.unregister(principal, keyOf(given));
      return {
        status: "removed" as const,
        callback_id: callback.id,
        task_id: callback.taskId,
        client_id: callback.clientId,
        callback_url: callback.url,
        cancelled_deliveries: cancelledCount,
        message: `🗑️ Callback removed: nothing more is sent to ${callback.url}. Its history stays.`,
        timestamp: timestampOf(clock),
      };
    },
  });
}

function keyOf({ callback_id, task_id, client_id, callback_url }: z.output<typeof input>): CallbackKey {
  const names = [task_id, client_id, callback_url];
  if (callback_id !== undefined && names.every((name) => name === undefined)) return { callbackId: callback_id };
  if (callback_id === undefined && task_id !== undefined && client_id !== undefined && callback_url !== undefined) {
    return { taskId: task_id, clientId: client_id, url: callback_url };
  }
  throw new DomainError("invalid", "Give either callback_id alone, or task_id, client_id and callback_url together.");
}
