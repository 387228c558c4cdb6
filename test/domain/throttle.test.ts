import { expect, test } from "vitest";
import { throttledUntil } from "../../src/domain/throttle.ts";
import type { WaitingDelivery } from "../../src/domain/throttle.ts";

const POLICY = { waitsMs: [2000, 30_000], jitter: 0.2 };
const waiting = (waitMs: number, statusCode: number | null, numberInSchedule = 1): WaitingDelivery => ({
  nextAttemptAt: 1000 + waitMs,
  lastAttempt: { numberInSchedule, endedAt: 1000, statusCode },
});

test("nothing that waits is nothing held back", () => {
  expect(throttledUntil([], POLICY)).toBeNull();
});

test.each([
  ["429 on the schedule", waiting(1600, 429), true],
  ["503 with the longest wait of the schedule", waiting(2400, 503), false],
  ["503 with a longer wait", waiting(2401, 503), true],
  ["503 after the second attempt", waiting(36_000, 503, 2), false],
  ["no answer, whatever the wait", waiting(99_000, null), false],
  ["an attempt beyond the schedule, as after a change of it", waiting(99_000, 503, 3), false],
])("%s", (_, one, isHeld) => {
  expect(throttledUntil([one], POLICY)).toBe(isHeld ? one.nextAttemptAt : null);
});

test("the delivery that is delayed longest counts, and those that wait by the schedule do not", () => {
  const all = [waiting(5000, 503), waiting(9000, 429), waiting(50_000, null), waiting(20_000, 503, 2)];
  expect(throttledUntil(all, POLICY)).toBe(10_000);
});
