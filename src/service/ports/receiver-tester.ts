import type { Outcome } from "../../domain/attempt.ts";
import type { DiagnosisStep } from "../../domain/diagnosis.ts";

/** Sends test events and diagnoses receivers. Both are requests outside the outbox: each is made once, and nothing of it is stored. */
export interface ReceiverTester {
  /** One attempt, within the time an attempt has. `busy`: the limit of requests or of name look-ups at once is reached. */
  post(post: TestPost): Promise<TestResult | "busy">;
  /**
   * Every step of an attempt, tried one after the other, up to the first that fails; the time for all is bounded. `badSignature`: a POST that
   * the receiver should refuse, sent after it has accepted the other; null: none is sent.
   */
  diagnose(post: TestPost, badSignature: TestPost | null): Promise<readonly DiagnosisStep[] | "busy">;
}

/** A signed POST. */
export interface TestPost {
  readonly url: string;
  readonly principal: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The exact text that was signed. */
  readonly body: string;
}

export interface TestResult {
  readonly outcome: Pick<Outcome, "statusCode" | "error">;
  readonly durationMs: number;
}
