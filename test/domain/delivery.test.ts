import { describe, expect, test } from "vitest";
import { errorOfStatus } from "../../src/domain/attempt.ts";
import type { AttemptError, Outcome } from "../../src/domain/attempt.ts";
import { afterAttempt } from "../../src/domain/delivery.ts";
import { RETRY_AFTER_MS_MAX } from "../../src/domain/retry-after.ts";
import type { RetryAfter } from "../../src/domain/retry-after.ts";
import { DEFAULT_RETRY_POLICY, waitAfter } from "../../src/domain/retry.ts";
import { T0 } from "../support/builders.ts";

const POLICY = { waitsMs: [100, 2000], jitter: 0 };
const half = () => 0.5;
const status = (statusCode: number): Outcome => ({
  statusCode,
  error: errorOfStatus(statusCode),
  responseExcerpt: null,
});
const failed = (error: AttemptError): Outcome => ({
  statusCode: null,
  error,
  responseExcerpt: null,
});
const made = (numberInSchedule: number, outcome: Outcome) => ({
  numberInSchedule,
  outcome,
  endedAt: T0,
  notAfter: null,
  isToSubscription: false,
});

describe("what follows an attempt", () => {
  test.each([200, 201, 204, 299])("%i is delivered", (code) => {
    expect(afterAttempt(made(1, status(code)), POLICY, half)).toEqual({ status: "delivered" });
  });

  test.each([301, 307, 400, 401, 404, 408, 425, 429, 500, 503])("%i is tried again", (code) => {
    expect(afterAttempt(made(1, status(code)), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
  });

  test.each(["connection_refused", "connection_reset", "timeout", "tls_error", "dns_error"] as const)(
    "%s is tried again",
    (error) => {
      expect(afterAttempt(made(1, failed(error)), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
    },
  );

  test("every status but 2xx, 410 and 413 is tried again", () => {
    const all = Array.from({ length: 400 }, (_, index) => index + 200);
    const nextOf = (code: number) => afterAttempt(made(1, status(code)), POLICY, half).status;
    expect(all.filter((code) => nextOf(code) === "exhausted")).toEqual([410, 413]);
    expect(all.filter((code) => nextOf(code) === "delivered")).toEqual(all.slice(0, 100));
  });

  test("a failure without an answer is tried again", () => {
    expect(afterAttempt(made(2, failed("timeout")), POLICY, half)).toEqual({ status: "pending", waitMs: 2000 });
    expect(afterAttempt(made(1, failed("dns_error")), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
  });

  test("the attempt after the last wait was the last", () => {
    expect(afterAttempt(made(3, status(500)), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: false });
    expect(afterAttempt(made(1, status(500)), { waitsMs: [], jitter: 0 }, half)).toMatchObject({ status: "exhausted" });
  });

  test("410 disables the callback; 413 and a refused address in the URL end this delivery only", () => {
    expect(afterAttempt(made(1, status(410)), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: true });
    expect(afterAttempt(made(1, status(413)), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: false });
    const refused: Outcome = { statusCode: null, error: "blocked", responseExcerpt: null, isPermanent: true };
    expect(afterAttempt(made(1, refused), POLICY, half)).toEqual({ status: "exhausted", disablesCallback: false });
  });

  test("a name that resolves to a refused address is tried again: one lying answer of DNS ends nothing", () => {
    expect(afterAttempt(made(1, failed("blocked")), POLICY, half)).toEqual({ status: "pending", waitMs: 100 });
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

  test("is not called sooner than the schedule says, whatever it asks for", () => {
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

describe("a callback with not_after", () => {
  const MINUTE = 60_000;
  const hourly = { waitsMs: Array<number>(9).fill(60 * MINUTE), jitter: 0 };
  const failedAt = (endedAt: number, notAfter: number) => ({
    numberInSchedule: 1,
    outcome: status(503),
    endedAt,
    notAfter,
    isToSubscription: false,
  });
  const nextAt = (endedAt: number, notAfter: number, policy = hourly) =>
    afterAttempt(failedAt(endedAt, notAfter), policy, half);
  const expired = { status: "exhausted", disablesCallback: false, reason: "not_after" };

  test("keeps a wait that ends before it", () => {
    expect(nextAt(T0, T0 + 61 * MINUTE)).toEqual({ status: "pending", waitMs: 60 * MINUTE });
  });

  test("shortens one that would end after it, so that a last attempt falls a second before", () => {
    expect(nextAt(T0, T0 + 10 * MINUTE)).toEqual({ status: "pending", waitMs: 10 * MINUTE - 1000 });
    expect(nextAt(T0, T0 + 60 * MINUTE)).toEqual({ status: "pending", waitMs: 60 * MINUTE - 1000 });
    expect(nextAt(T0, T0 + 2000)).toEqual({ status: "pending", waitMs: 1000 });
  });

  test("has no attempt after that one, and none when less than a second of waiting is left", () => {
    expect(nextAt(T0 + 10 * MINUTE - 1000, T0 + 10 * MINUTE)).toEqual(expired);
    expect(nextAt(T0, T0 + 1999)).toEqual(expired);
    expect(nextAt(T0 + 5 * MINUTE, T0)).toEqual(expired);
  });

  test("leaves a schedule of short waits as exact as it is, up to the end", () => {
    const dense = { waitsMs: [100, 100, 100], jitter: 0 };
    expect(nextAt(T0, T0 + 101, dense)).toEqual({ status: "pending", waitMs: 100 });
    expect(nextAt(T0, T0 + 100, dense)).toEqual(expired);
  });

  test("ends with the schedule when that ends first, and that is then the reason", () => {
    const once = { waitsMs: [], jitter: 0 };
    expect(nextAt(T0, T0 + 60 * MINUTE, once)).toEqual({ status: "exhausted", disablesCallback: false });
  });

  test("is asked a last time although the receiver wanted more time than there is", () => {
    const asking: Outcome = { statusCode: 503, error: "http_5xx", responseExcerpt: null, retryAfter: { afterMs: 9e6 } };
    const attempt = {
      numberInSchedule: 1,
      outcome: asking,
      endedAt: T0,
      notAfter: T0 + 10 * MINUTE,
      isToSubscription: false,
    };
    expect(afterAttempt(attempt, POLICY, half)).toEqual({ status: "pending", waitMs: 10 * MINUTE - 1000 });
  });

  test("never lets an attempt begin at or after it, nor two within its last two seconds, whatever the schedule", () => {
    for (const notAfter of [T0 + 1, T0 + 7777, T0 + 20 * MINUTE, T0 + 30 * 86_400_000]) {
      const begun = [T0];
      for (let numberInSchedule = 1; numberInSchedule <= 20; numberInSchedule++) {
        const attempt = {
          numberInSchedule,
          outcome: failed("timeout"),
          endedAt: begun.at(-1)!,
          notAfter,
          isToSubscription: false,
        };
        const next = afterAttempt(attempt, DEFAULT_RETRY_POLICY, half);
        if (next.status !== "pending") break;
        begun.push(begun.at(-1)! + next.waitMs);
      }
      expect(Math.max(...begun)).toBeLessThan(notAfter);
      expect(begun.slice(1).filter((at) => at > notAfter - 2000).length).toBeLessThanOrEqual(1);
    }
  });
});

describe("the schedule", () => {
  test("the default makes ten attempts in about 75 hours", () => {
    const waits = Array.from({ length: 10 }, (_, index) => waitAfter(DEFAULT_RETRY_POLICY, index + 1, half));
    const [second, minute, hour] = [1000, 60_000, 3_600_000];
    const rest = [2, 5, 10, 14, 20, 24].map((hours) => hours * hour);
    expect(waits).toEqual([5 * second, 5 * minute, 30 * minute, ...rest, null]);
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
