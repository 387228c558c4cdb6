import { expect, test } from "vitest";
import { DISABLE_FAILURES_MIN, shouldDisable } from "../../src/domain/callback-health.ts";
import { DEFAULT_RETRY_POLICY } from "../../src/domain/retry.ts";
import { T0 } from "../support/builders.ts";

const POLICY = { forMs: 5000, failuresMin: 3 };
const failing = (failures: number) => ({ failingSince: T0, failures });

test("long failure disables: after the time, and after the attempts", () => {
  expect(shouldDisable(failing(3), T0 + 5000, POLICY)).toBe(true);
  expect(shouldDisable(failing(9), T0 + 4999, POLICY)).toBe(false);
  expect(shouldDisable(failing(2), T0 + 9e9, POLICY)).toBe(false);
});

test("what is in order is never disabled, nor what a clock that was set back makes fail in the future", () => {
  expect(shouldDisable({ failingSince: null, failures: 0 }, T0, { forMs: 0, failuresMin: 0 })).toBe(false);
  expect(shouldDisable(failing(99), T0 - 5000, POLICY)).toBe(false);
});

test("the default schedule is over, with as many attempts, before a callback can be disabled after five days", () => {
  const longestMs =
    DEFAULT_RETRY_POLICY.waitsMs.reduce((sum, wait) => sum + wait, 0) * (1 + DEFAULT_RETRY_POLICY.jitter);
  expect(longestMs).toBeLessThan(5 * 86_400_000);
  expect(DEFAULT_RETRY_POLICY.waitsMs.length + 1).toBe(DISABLE_FAILURES_MIN);
});
