import { setTimeout as sleep } from "node:timers/promises";

/** A deadline of a test ends a hang and nothing else: it is far longer than a busy machine takes. */
export const HANG_MS = 120_000;
/** Looking costs time of the processor that what is waited for could use, so it is done less and less often. */
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
    if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain for: ${what}`);
    await sleep(pauseMs);
  }
}
