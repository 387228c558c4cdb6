import { setTimeout as sleep } from "node:timers/promises";

/** The deadline of a test only ends a hang: it is far longer than a busy machine needs. */
export const HANG_MS = 120_000;
/** A look costs processor time that the awaited work could use, so the looks become rarer. */
const LOOK_FIRST_MS = 5;
const LOOK_LAST_MS = 50;

/** Waits for `condition` to give something truthy and returns it; fails with `what` when that takes longer than `deadlineMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = HANG_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + deadlineMs;
  for (let pauseMs = LOOK_FIRST_MS; ; pauseMs = Math.min(pauseMs * 1.5, LOOK_LAST_MS)) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value as Exclude<T, false | null | undefined>;
    if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms without success for: ${what}`);
    await sleep(pauseMs);
  }
}
