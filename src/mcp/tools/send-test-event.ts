import { z } from "zod";
import type { Clock } from "../../service/ports/clock.ts";
import type { Probes, TestEventSent } from "../../service/probes.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { ownId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Sends one signed test POST to a callback now and answers with its outcome. It is tried once and is in no history.",
  "One that is taken makes a disabled callback active again, and what waited is sent.",
  "diagnose_callback says more about a failure.",
].join(" ");

const input = z.strictObject({
  callback_id: ownId().describe("From register_callback. It may be disabled, not removed."),
});

const output = z.object({
  status: z.enum(["delivered", "failed"]),
  callback_id: z.string(),
  callback_url: z.string(),
  event_id: z.string().describe("The POST's webhook-id."),
  status_code: count.nullable().describe("The receiver's HTTP status; null: it gave no answer."),
  error: z.string().describe("What went wrong, e.g. timeout or http_5xx; null: delivered.").nullable(),
  duration_ms: count,
  resumed_deliveries: count
    .optional()
    .describe(
      "The callback was disabled and is active again by this: deliveries that had waited for it and are sent now.",
    ),
  message: z.string(),
  timestamp,
});

export function createSendTestEvent({
  probes,
  clock,
}: {
  readonly probes: Probes;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "send_test_event",
    title: "Send a test event",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    input,
    output,
    async answer({ callback_id }, { principal }) {
      const sent = await probes.sendTestEvent(principal, callback_id);
      const { statusCode, error } = sent.outcome;
      return {
        status: error === null ? ("delivered" as const) : ("failed" as const),
        callback_id,
        callback_url: sent.callback.url,
        event_id: sent.eventId,
        status_code: statusCode,
        error,
        duration_ms: sent.durationMs,
        ...(sent.resumedCount !== null && { resumed_deliveries: sent.resumedCount }),
        message: messageOf(sent),
        timestamp: timestampOf(clock),
      };
    },
  });
}

function messageOf({ callback, resumedCount, outcome: { statusCode, error } }: TestEventSent): string {
  if (resumedCount !== null) {
    const rest =
      resumedCount === 0
        ? "use redeliver for what was not sent"
        : `${resumedCount} deliveries that waited for it are sent now`;
    return `✅ ${callback.url} took the test event, and the callback is active again; ${rest}.`;
  }
  if (error === null) return `✅ ${callback.url} took the test event.`;
  const what = statusCode === null ? `failed: ${error}` : `was answered with status ${statusCode}`;
  return `⚠️ The test event to ${callback.url} ${what}; diagnose_callback says what to do.`;
}
