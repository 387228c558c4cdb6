import type { BaselineEntry } from "./baseline.ts";

export interface CheckResult {
  /** scenario:check */
  readonly check: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  /** In the suite's words. */
  readonly why: string;
}

export interface Verdict {
  readonly passed: number;
  readonly expected: number;
  /** With what the suite says about each. */
  readonly unexpected: readonly string[];
  /** Entries whose check did not fail. */
  readonly stale: readonly string[];
}

/**
 * The suite's own rule, and stricter in two ways: it counts what the suite runs without scoring it (all extensions), and an entry whose
 * check was not made at all is stale too.
 */
export function judge(results: readonly CheckResult[], baseline: readonly BaselineEntry[]): Verdict {
  const failed = new Map<string, string>();
  // A check may come several times under one id: one failure fails it.
  for (const { check, status, why } of results) {
    if (status === "FAILURE" || status === "WARNING") failed.set(check, why);
  }
  const passed = new Set(results.filter(({ status }) => status === "SUCCESS").map(({ check }) => check));
  const expected = new Set(baseline.map(({ check }) => check));
  return {
    passed: [...passed].filter((check) => !failed.has(check)).length,
    expected: [...failed.keys()].filter((check) => expected.has(check)).length,
    unexpected: [...failed].filter(([check]) => !expected.has(check)).map(([check, why]) => `${check}: ${why}`),
    stale: [...expected].filter((check) => !failed.has(check)),
  };
}
