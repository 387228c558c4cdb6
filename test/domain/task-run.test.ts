import { expect, test } from "vitest";
import { isUnderWay, recoveredCrashes, retried } from "../../src/domain/task-run.ts";
import { CRASHES_MAX } from "../../src/domain/task.ts";
import { T0 } from "../support/builders.ts";

test.each([
  ["running", 2, true],
  ["running", 3, false],
  ["pending", 2, false],
  ["completed", 2, false],
] as const)("run 2 is under way while its task is %s in run %i: %s", (status, runCount, isSo) => {
  expect(isUnderWay({ status, runCount }, 2)).toBe(isSo);
});

test("a failed run is counted, and ends a series of crashes", () => {
  const changes = { status: "pending", failures: 3, crashes: 0, error: "no", dueAt: T0 };
  expect(retried(2, "no", T0)).toEqual(changes);
});

test("crashes are counted up to their maximum", () => {
  expect([0, CRASHES_MAX - 1, CRASHES_MAX].map(recoveredCrashes)).toEqual([1, CRASHES_MAX, CRASHES_MAX]);
});
