import { z } from "zod";
import type { Clock } from "../../service/ports/clock.ts";
import type { ReceiverTests, TestEventSent } from "../../service/receiver-tests.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { ownId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Sends one signed test POST to a callback now and answers with the outcome. It is not retried and not in any history.",
  "If it succeeds, a disabled callback becomes active again and its waiting deliveries are sent.",
  "If it fails, call diagnose_callback.",
].join(" ");

const input = z.strictObject({
  callback_id: ownId().describe("From register_callback; active or disabled."),
});

const output = z.object({
  status: z.enum(["delivered", "failed"]),
  callback_id: z.string(),
  callback_url: z.string(),
  event_id: z.string().describe("The POST's webhook-id."),
  status_code: count.nullable().describe("The receiver's HTTP status; null: it gave no answer."),
  error: z.string().describe("What went wrong, e.g. timeout or http_5xx; null: success.").nullable(),
  duration_ms: count,
  resumed_deliveries: count
    .optional()
    .describe("Present if the callback was disabled and is active again: its waiting deliveries, which are sent now."),
  message: z.string(),
  timestamp,
});

export function createSendTestEvent({
  receiverTests,
  clock,
}: {
  readonly receiverTests: ReceiverTests;
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
      const sent = await receiverTests.sendTestEvent(principal, callback_id);
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
        ? "use redeliver for deliveries that were not sent"
        : `${resumedCount} waiting deliveries are sent now`;
    return `✅ ${callback.url} accepted the test event, and the callback is active again; ${rest}.`;
  }
  if (error === null) return `✅ ${callback.url} accepted the test event.`;
  const what = statusCode === null ? `failed: ${error}` : `was answered with status ${statusCode}`;
  return `⚠️ The test event to ${callback.url} ${what}; diagnose_callback says what to do.`;
}
