import { z } from "zod";
import type { Json } from "../../../domain/json.ts";
import type { Clock } from "../../../service/ports/clock.ts";

/** Any JSON value. Flat, unlike z.json(): a deep value must not exhaust the stack. */
export const anyJson: z.ZodType<Json> = z.any().meta({
  anyOf: [
    { type: "string" },
    { type: "number" },
    { type: "boolean" },
    { type: "null" },
    { type: "array" },
    { type: "object", additionalProperties: true },
  ],
});

/** A whole number from 0. Without the maximum that zod would add, the largest safe integer. */
export const count = z.int().min(0).meta({ maximum: undefined });

/** ISO 8601, UTC. */
export const isoTime = z.string().meta({ format: "date-time" });

export const timestamp = isoTime.describe("When this answer was made, ISO 8601 UTC.");

export function isoOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** No key for a callback without not_after, as most are. */
export function presentNotAfter({ notAfter }: { readonly notAfter: number | null }): { not_after?: string } {
  return notAfter === null ? {} : { not_after: isoOf(notAfter) };
}

export function timestampOf(clock: Pick<Clock, "now">): string {
  return isoOf(clock.now());
}
