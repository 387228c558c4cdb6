import { describe, expect, test } from "vitest";
import { isExpired, NOT_AFTER_MS_MAX, parseNotAfter } from "../../src/domain/not-after.ts";
import { T0 } from "../support/builders.ts";

describe("not_after", () => {
  test.each([
    ["2026-11-23T06:00:00.000Z", T0 + 3_600_000],
    ["2026-11-23T06:00:00Z", T0 + 3_600_000],
    ["2026-11-23T06:00Z", T0 + 3_600_000],
    ["2026-11-23T07:00:00+01:00", T0 + 3_600_000],
    ["2026-11-23T05:00:00.001Z", T0 + 1],
    [new Date(T0 + NOT_AFTER_MS_MAX).toISOString(), T0 + 30 * 86_400_000],
  ])("takes %s", (text, time) => {
    expect(parseNotAfter(text, T0)).toBe(time);
  });

  test.each([
    ["the present", "2026-11-23T05:00:00.000Z", "must be in the future; it is 2026-11-23T05:00:00.000Z now"],
    ["the past", "2025-11-23T05:00:00Z", "in the future"],
    ["a millisecond over 30 days", "2026-12-23T05:00:00.001Z", "at most 30 days ahead; the latest is 2026-12-23T05:00"],
    ["a time without zone", "2026-11-23T06:00:00", "ISO 8601 time with its zone"],
    ["a date", "2026-11-24", "ISO 8601"],
    ["a number", "1795410000000", "ISO 8601"],
    ["words", "tomorrow", "ISO 8601"],
    ["nothing", "", "ISO 8601"],
    ["a day that is none", "2026-11-31T06:00:00Z", "ISO 8601"],
    ["an hour that is none", "2026-11-23T25:00:00Z", "ISO 8601"],
    ["an HTTP date", "Mon, 23 Nov 2026 06:00:00 GMT", "ISO 8601"],
  ])("refuses %s and says why", (_what, text, why) => {
    expect(() => parseNotAfter(text, T0)).toThrow(why);
    expect(() => parseNotAfter(text, T0)).toThrow(expect.objectContaining({ code: "invalid" }));
  });

  test("is over from its very millisecond; none is never over", () => {
    expect([isExpired(T0, T0 - 1), isExpired(T0, T0), isExpired(null, Infinity)]).toEqual([false, true, false]);
  });
});
