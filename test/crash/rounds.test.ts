import { expect, test } from "vitest";
import { runCrashTest } from "../../crash-test/rounds.ts";
import { temporaryFolder } from "../support/builders.ts";
import { HANG_MS } from "../support/until.ts";

/** `npm run crash-test` runs more of them, on the built package. */
const ROUNDS = 6;

test(`${ROUNDS} rounds of load and kill -9 break no promise`, async () => {
  const report = await runCrashTest({ rounds: ROUNDS, seed: 1, folder: temporaryFolder(), lateMs: HANG_MS });
  expect([...report.kills.values()].reduce((sum, count) => sum + count)).toBe(ROUNDS);
  expect(report.tasks).toBeGreaterThan(ROUNDS);
  expect(report.subscriptions).toBe(ROUNDS);
  expect(report.verified).toBeGreaterThan(report.tasks);
});
