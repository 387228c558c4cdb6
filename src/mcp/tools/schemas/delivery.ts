import { z } from "zod";
import { ATTEMPTS_LISTED_MAX } from "../../../domain/attempt.ts";
import type { Attempt } from "../../../domain/attempt.ts";
import { DELIVERY_REASONS, DELIVERY_STATUSES } from "../../../domain/delivery.ts";
import type { Delivery } from "../../../domain/delivery.ts";
import { EVENT_TYPES } from "../../../domain/event.ts";
import type { OpenCircuit } from "../../../service/ports/origin-breaker.ts";
import { count, isoOf, isoTime } from "./output.ts";

const attempt = z.object({
  number: count.describe("From 1."),
  started_at: isoTime,
  duration_ms: z.number(),
  status_code: count.nullable().describe("The receiver's HTTP status; null: it gave no answer."),
  // `describe` before `nullable`: otherwise zod writes `type` as an array, which fewer clients can read than `anyOf`.
  error: z.string().describe("What went wrong, e.g. timeout or http_5xx; null: success.").nullable(),
});

/** A delivery with its attempts. */
export const deliverySchema = z.object({
  delivery_id: z.string(),
  event_id: z.string().describe("The POST's webhook-id, the same on every attempt."),
  event: z.enum(EVENT_TYPES),
  status: z
    .enum(DELIVERY_STATUSES)
    .describe("exhausted: given up; reason or the last attempt says why. cancelled: withdrawn."),
  attempt_count: count.describe("Number of all attempts."),
  next_attempt_at: isoTime
    .describe("Null: none is planned. A pending delivery then waits until its disabled callback is enabled.")
    .nullable(),
  reason: z
    .enum(DELIVERY_REASONS)
    .optional()
    .describe(
      "Why it ended, where its attempts do not show it. not_after: that time came. expired: the subscription did. superseded: newer progress or the end replaced it.",
    ),
  attempts: z.array(attempt).describe(`The newest ${ATTEMPTS_LISTED_MAX}, in the order in which they were made.`),
});

/** Present while the circuit breaker of the receiver's origin is open. */
export const openCircuitSchema = z
  .object({ since: isoTime, next_probe_at: isoTime })
  .describe(
    "Nearly all recent requests to this origin failed. One request at a time probes it, from next_probe_at on; other deliveries to it wait.",
  );

/** No key for an origin whose circuit breaker is closed. */
export function presentOpenCircuit(openCircuit: OpenCircuit | null): { slow_lane?: z.input<typeof openCircuitSchema> } {
  return openCircuit === null
    ? {}
    : { slow_lane: { since: isoOf(openCircuit.since), next_probe_at: isoOf(openCircuit.probeAt) } };
}

export function presentDelivery({
  id,
  eventId,
  event,
  status,
  attemptCount,
  nextAttemptAt,
  reason,
  attempts,
}: Delivery): z.input<typeof deliverySchema> {
  return {
    delivery_id: id,
    event_id: eventId,
    event,
    status,
    attempt_count: attemptCount,
    next_attempt_at: nextAttemptAt === null ? null : isoOf(nextAttemptAt),
    ...(reason === null ? {} : { reason }),
    attempts: attempts.map(presentAttempt),
  };
}

function presentAttempt({ number, startedAt, durationMs, statusCode, error }: Attempt): z.input<typeof attempt> {
  return { number, started_at: isoOf(startedAt), duration_ms: durationMs, status_code: statusCode, error };
}
