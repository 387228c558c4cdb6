import { limitKeyOf } from "../domain/limit-key.ts";
import type { OpenCircuit, OriginBreaker } from "./ports/origin-breaker.ts";

/** A callback or subscription: deliveries are sent to it while its status is `active`. */
interface Target {
  readonly url: string;
  readonly status: string;
}

/** The open circuit for which due deliveries of a target wait. Null: its origin's circuit is closed, or the target is not active. */
export function openCircuitOf(breaker: OriginBreaker, { url, status }: Target): OpenCircuit | null {
  return status === "active" ? breaker.openCircuit(limitKeyOf(new URL(url))) : null;
}
