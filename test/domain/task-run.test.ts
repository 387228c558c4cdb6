import { expect, test } from "vitest";
import { isUnderWay, recoveredCrashes, retried, waitAfterFailedRun } from "../../src/domain/task-run.ts";
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

test("another run follows after one second, then twice as long each time up to five minutes, as often as the type allows", () => {
  expect([0, 1, 2, 8, 9, 99].map((failures) => waitAfterFailedRun(failures, 100))).toEqual([
    1000, 2000, 4000, 256_000, 300_000, 300_000,
  ]);
  expect([0, 1, 2].map((failures) => waitAfterFailedRun(failures, 1))).toEqual([1000, null, null]);
  expect(waitAfterFailedRun(0, 0)).toBeNull();
});

test("crashes are counted up to their maximum", () => {
  expect([0, CRASHES_MAX - 1, CRASHES_MAX].map(recoveredCrashes)).toEqual([1, CRASHES_MAX, CRASHES_MAX]);
});
