import { z } from "zod";
import type { Clock } from "../../service/ports/clock.ts";
import { OVERLAP_HOURS_DEFAULT, OVERLAP_HOURS_MAX } from "../../service/secrets.ts";
import type { Rotated, Secrets } from "../../service/secrets.ts";
import { isoOf, isoTime, timestamp, timestampOf } from "./schemas/output.ts";
import { ownId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Gives a callback a new signing secret. During the overlap POSTs are signed with both.",
  "Keep signing_secret: no other answer shows it. Repeating the call with a secret of your own changes nothing.",
].join(" ");

const OVERLAP_PROBLEM = { error: `must be from 0 to ${OVERLAP_HOURS_MAX}` };

const input = z.strictObject({
  callback_id: ownId().describe("From register_callback."),
  secret: z.string().optional().describe("whsec_ and the base64 of 24 to 64 random bytes. Default: a new one."),
  overlap_hours: z
    .number()
    .min(0, OVERLAP_PROBLEM)
    .max(OVERLAP_HOURS_MAX, OVERLAP_PROBLEM)
    .optional()
    .describe(`How long the old secret signs too; 0: not at all. Default: ${OVERLAP_HOURS_DEFAULT}.`),
});

const output = z.object({
  status: z.literal("rotated"),
  callback_id: z.string(),
  task_id: z.string().describe("The callback's task.").nullable(),
  client_id: z.string(),
  message: z.string(),
  old_secret_valid_until: isoTime.describe("POSTs carry its signature too until then; null: no longer.").nullable(),
  timestamp,
  signing_secret: z.string().describe("The new secret. No other answer shows it."),
});

export function createRotateCallbackSecret({
  secrets,
  clock,
}: {
  readonly secrets: Secrets;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "rotate_callback_secret",
    title: "Rotate a callback's signing secret",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    input,
    output,
    async answer({ callback_id, secret, overlap_hours }, { principal }) {
      const rotated = await secrets.rotate(principal, { callbackId: callback_id, secret, overlapHours: overlap_hours });
      const { callback, overlapEnd } = rotated;
      return {
        status: "rotated" as const,
        callback_id,
        task_id: callback.taskId,
        client_id: callback.clientId,
        message: messageOf(rotated),
        old_secret_valid_until: overlapEnd === null ? null : isoOf(overlapEnd),
        timestamp: timestampOf(clock),
        signing_secret: callback.signingSecret,
      };
    },
  });
}

function messageOf({ overlapEnd }: Rotated): string {
  return overlapEnd === null
    ? "🔑 Secret rotated! From now on POSTs are signed with the new secret only."
    : `🔑 Secret rotated! POSTs are signed with the new secret, and until ${isoOf(overlapEnd)} with the old one too.`;
}
