/** Schemas that several routes use. */
import { z } from "zod";
import type { Json } from "../domain/json.ts";

export const isoTime = z.string().meta({ format: "date-time" });

/** A whole number from 0. Without the maximum that zod would add, the largest safe integer. */
export const count = z.int().min(0).meta({ maximum: undefined });

/** Any JSON value, not validated. */
export const anyJson: z.ZodType<Json> = z.any();

export function isoOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
