import { z } from "zod";
import { CALLBACK_URL_CHARS_MAX } from "../../domain/callback.ts";
import { adviceOn } from "../../domain/diagnosis.ts";
import { DomainError } from "../../domain/errors.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Diagnosis, ReceiverTests } from "../../service/receiver-tests.ts";
import { count, timestamp, timestampOf } from "./schemas/output.ts";
import { ownId } from "./schemas/arguments.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./define-tool.ts";

const DESCRIPTION = [
  "Finds out why POSTs do not arrive and says what to do. Checks the address guard, DNS, connection, TLS, a signed test POST and one with a wrong signature, up to the first failure.",
  "Give callback_id, or callback_url for a URL that is not registered.",
].join(" ");

const input = z.strictObject({
  callback_id: ownId().optional().describe("From register_callback; active or disabled."),
  callback_url: z.string().meta({ format: "uri" }).optional().describe(`At most ${CALLBACK_URL_CHARS_MAX} characters.`),
});

const step = z.object({
  step: z.enum(["guard", "dns", "connect", "tls", "post", "signature"]),
  status: z
    .enum(["ok", "warning", "failed", "skipped"])
    .describe("warning: POSTs arrive, but something is wrong. skipped: not needed, not possible or not reached."),
  error: z
    .string()
    .describe("The category as in an attempt, e.g. dns_error or http_4xx; null unless failed.")
    .nullable(),
  status_code: count.nullable().describe("The receiver's HTTP status, of the steps post and signature."),
  duration_ms: count,
  message: z.string().describe("What was found and what to do."),
});

const output = z.object({
  status: z.enum(["ok", "failed"]),
  callback_id: z.string().optional(),
  callback_url: z.string(),
  callback_status: z.enum(["active", "disabled", "removed"]).optional(),
  steps: z.array(step),
  message: z.string(),
  timestamp,
});

export function createDiagnoseCallback({
  receiverTests,
  clock,
}: {
  readonly receiverTests: ReceiverTests;
  readonly clock: Pick<Clock, "now">;
}): Tool {
  return defineTool({
    name: "diagnose_callback",
    title: "Diagnose a callback",
    description: DESCRIPTION,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    input,
    output,
    async answer(given, { principal }) {
      const diagnosis = await receiverTests.diagnose(principal, receiverOf(given));
      const { url, callback } = diagnosis;
      const steps = presentSteps(diagnosis);
      const failed = steps.find(({ status }) => status === "failed");
      return {
        status: failed === undefined ? ("ok" as const) : ("failed" as const),
        ...(callback !== null && { callback_id: callback.id }),
        callback_url: url,
        ...(callback !== null && { callback_status: callback.status }),
        steps,
        message: failed === undefined ? okMessageOf(diagnosis, steps) : `⚠️ ${failed.step}: ${failed.message}`,
        timestamp: timestampOf(clock),
      };
    },
  });
}

function receiverOf({ callback_id, callback_url }: z.output<typeof input>): { callbackId: string } | { url: string } {
  if (callback_id !== undefined && callback_url === undefined) return { callbackId: callback_id };
  if (callback_id === undefined && callback_url !== undefined) return { url: callback_url };
  throw new DomainError("invalid", "Give either callback_id or callback_url.");
}

function presentSteps({ steps, callback }: Diagnosis): z.input<typeof step>[] {
  const isRegistered = callback !== null;
  const failedAt = steps.findIndex(({ status }) => status === "failed");
  return steps.map((each, index) => ({
    step: each.step,
    status: each.status,
    error: each.error,
    status_code: each.statusCode,
    duration_ms: each.durationMs,
    message: adviceOn(each, { isRegistered, failedBefore: failedAt !== -1 && failedAt < index }),
  }));
}

function okMessageOf({ url, callback }: Diagnosis, steps: readonly z.input<typeof step>[]): string {
  const found =
    callback?.status === "disabled"
      ? `✅ ${url} takes POSTs again, but the callback is disabled: enable it with enable_callback.`
      : `✅ ${url} is reachable and takes POSTs.`;
  const warned = steps.find(({ status }) => status === "warning");
  return warned === undefined ? found : `${found} ⚠️ ${warned.step}: ${warned.message}`;
}
