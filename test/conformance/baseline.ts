import { readFileSync } from "node:fs";

export const VERSIONS = ["2025-11-25", "2026-07-28"] as const;
export type Version = (typeof VERSIONS)[number];

/** A check that is expected to fail, and why. */
export interface BaselineEntry {
  /** As the suite writes it: scenario:check. */
  readonly check: string;
  readonly reason: string;
}

export function baselineFile(version: Version): URL {
  return new URL(`baseline-${version}.yml`, import.meta.url);
}

/**
 * The suite reads the same file as YAML. Here it is held to a narrower form: single checks only, since a scenario named as a whole would
 * excuse all of its checks, and each with its reason on the line.
 */
export function readBaseline(text: string): readonly BaselineEntry[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  if (lines[0] !== "server:") throw new Error('A baseline begins with "server:"');
  return lines.slice(1).map((line) => {
    const [, check, reason] = /^ {2}- ([\w-]+:[\w-]+) # (\S.*)$/.exec(line) ?? [];
    if (check === undefined || reason === undefined) throw new Error(`Not "  - scenario:check # reason": ${line}`);
    return { check, reason };
  });
}

export function baselineOf(version: Version): readonly BaselineEntry[] {
  return readBaseline(readFileSync(baselineFile(version), "utf8"));
}
