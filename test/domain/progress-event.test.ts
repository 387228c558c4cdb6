import { expect, test } from "vitest";
import { progressEventStep } from "../../src/domain/progress-event.ts";
import { T0 } from "../support/builders.ts";

const INTERVAL_MS = 5000;
const HALF = { done: 1, total: 2, message: "half" };
const LAST = { progress: HALF, occurredAt: T0 };

test.each([
  ["the first", HALF, null, T0, { kind: "emit" }],
  ["the same as in the last event", { ...HALF }, LAST, T0 + INTERVAL_MS, { kind: "none" }],
  ["other, too soon", { ...HALF, done: 2 }, LAST, T0 + 1, { kind: "wait", dueAt: T0 + INTERVAL_MS }],
  ["other, with another message only", { ...HALF, message: null }, LAST, T0 + INTERVAL_MS, { kind: "emit" }],
  ["other, with another total only", { ...HALF, total: null }, LAST, T0 + INTERVAL_MS, { kind: "emit" }],
  ["other, after the clock was set back", { ...HALF, done: 2 }, LAST, T0 - 3_600_000, { kind: "emit" }],
] as const)("progress that is %s", (_, progress, last, now, step) => {
  expect(progressEventStep(progress, last, now, INTERVAL_MS)).toEqual(step);
});
