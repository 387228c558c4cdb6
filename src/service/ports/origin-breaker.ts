import type { Outcome } from "../../domain/attempt.ts";
import type { LimitKey } from "../../domain/limit-key.ts";

/** The circuit breaker of the dispatcher, as services see it. While an origin's circuit is open, one request at a time probes the origin. */
export interface OriginBreaker {
  /** Null: the origin's circuit is closed. */
  openCircuit(key: LimitKey): OpenCircuit | null;
  /**
   * The outcome of a test event or a diagnosis. A success closes the circuit, and the deliveries that wait are claimed; a failure changes
   * nothing. True: the circuit was open and is closed now.
   */
  recordTest(key: LimitKey, outcome: Pick<Outcome, "statusCode" | "error">): boolean;
}

export interface OpenCircuit {
  /** Epoch ms. */
  readonly since: number;
  /** Epoch ms from which the next probe may be sent. Past while a probe is running, or when nothing is due. */
  readonly probeAt: number;
}
