import { describe, expect, test } from "vitest";
import { errorOfStatus } from "../../src/domain/attempt.ts";
import type { Outcome } from "../../src/domain/attempt.ts";
import { afterAttempt } from "../../src/domain/delivery.ts";
import { RETRY_AFTER_MS_MAX } from "../../src/domain/retry-after.ts";
import type { RetryAfter } from "../../src/domain/retry-after.ts";
import { DEFAULT_RETRY_POLICY, waitAfter } from "../../src/domain/retry-policy.ts";
import { T0 } from "../support/builders.ts";

const POLICY = { waitsMs: [100, 2000], jitter: 0 };
const half = () => 0.5;
const status = (statusCode: number): Outcome => ({
  statusCode,
  error: errorOfStatus(statusCode),
  responseExcerpt: null,
});
const failed = (error: "timeout" | "blocked" | "dns_error"): Outcome => ({
  statusCode: null,
  error,
  responseExcerpt: null,
});
const made = (number: number, outcome: Outcome) => ({ number, outcome, endedAt: T0 });

describe("what follows an attempt", () => {
  test.each([200, 201, 204, 299])("%i is delivered", (code) => {
    expect(afterAttempt(made(1, status(code)), POLICY, half)).toEqual({ status: "delivered" });
  });

  test.each([301, 307, 400, 401, 404, 408, 425, 429, 500, 503])("%i is tried again", (code) => {
    expect(afterAttempt(made(1, status(code)), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
  });

  test("a failure without an answer is tried again", () => {
    expect(afterAttempt(made(2, failed("timeout")), POLICY, half)).toEqual({ status: "pending", waitMs: 2000 });
    expect(afterAttempt(made(1, failed("dns_error")), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
  });

  test("the attempt after the last wait was the last", () => {
    expect(afterAttempt(made(3, status(500)), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: false });
    expect(afterAttempt(made(1, status(500)), { waitsMs: [], jitter: 0 }, half)).toMatchObject({ status: "exhausted" });
  });

  test("410 disables the callback; 413 and a refused address end this delivery only", () => {
    expect(afterAttempt(made(1, status(410)), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: true });
    expect(afterAttempt(made(1, status(413)), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: false });
    expect(afterAttempt(made(1, failed("blocked")), POLICY, half)).toEqual({
      status: "exhausted",
      disablesCallback: false,
    });
  });
});

describe("a receiver that asks for time (Retry-After)", () => {
  const asking = (statusCode: number, retryAfter: RetryAfter): Outcome => ({
    statusCode,
    error: errorOfStatus(statusCode),
    responseExcerpt: null,
    retryAfter,
  });

  test("gets it, in seconds or until a date of our own clock", () => {
    const retry = { status: "pending", waitMs: 60_000 };
    expect(afterAttempt(made(1, asking(503, { afterMs: 60_000 })), POLICY, half)).toEqual(retry);
    expect(afterAttempt(made(1, asking(429, { atMs: T0 + 60_000 })), POLICY, half)).toEqual(retry);
  });

  test("is not asked sooner than the schedule says, whatever it wishes", () => {
    for (const sooner of [{ afterMs: 0 }, { afterMs: 99 }, { atMs: T0 - 3_600_000 }]) {
      expect(afterAttempt(made(1, asking(503, sooner)), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
      const byDefault = afterAttempt(made(2, asking(503, sooner)), DEFAULT_RETRY_POLICY, half);
      expect(byDefault).toEqual({ status: "pending", waitMs: 300_000 });
    }
  });

  test("gets a day at most", () => {
    expect(RETRY_AFTER_MS_MAX).toBe(86_400_000);
    for (const endless of [{ afterMs: 1e15 }, { afterMs: Infinity }, { atMs: T0 + 1e12 }]) {
      const next = afterAttempt(made(1, asking(503, endless)), POLICY, half);
      expect(next).toEqual({ status: "pending", waitMs: RETRY_AFTER_MS_MAX });
    }
  });

  test("does not shorten a longer wait of the schedule to that day", () => {
    const weekly = { waitsMs: [7 * 86_400_000], jitter: 0 };
    expect(afterAttempt(made(1, asking(503, { afterMs: 1e12 })), weekly, half)).toMatchObject({
      waitMs: 7 * 86_400_000,
    });
  });

  test("gets no attempt more than the schedule has", () => {
    const next = afterAttempt(made(3, asking(503, { afterMs: 1000 })), POLICY, half);
    expect(next).toEqual({ status: "exhausted", disablesCallback: false });
  });
});

describe("the schedule", () => {
  test("the default makes ten attempts in about 75 hours", () => {
    const waits = Array.from({ length: 10 }, (_, index) => waitAfter(DEFAULT_RETRY_POLICY, index + 1, half));
    expect(waits.slice(0, 3)).toEqual([5000, 300_000, 1_800_000]);
    expect(waits[9]).toBeNull();
    const hours = waits.reduce<number>((sum, wait) => sum + (wait ?? 0), 0) / 3_600_000;
    expect(hours).toBeCloseTo(75.6, 1);
  });

  test("jitter stays within its share", () => {
    expect(waitAfter(DEFAULT_RETRY_POLICY, 1, () => 0)).toBe(4000);
    expect(waitAfter(DEFAULT_RETRY_POLICY, 1, () => 0.999999)).toBe(6000);
  });

  test("a schedule without jitter is exact", () => {
    expect(waitAfter(POLICY, 1, () => 0.9)).toBe(100);
  });
});
