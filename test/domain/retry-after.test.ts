import { describe, expect, test } from "vitest";
import { mayAskToWait } from "../../src/domain/attempt.ts";
import { parseRetryAfter } from "../../src/domain/retry-after.ts";

const MOMENT = Date.parse("2026-11-06T08:49:37Z");

describe("a Retry-After", () => {
  test.each([
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7000],
  ])("of %j is seconds", (value, afterMs) => {
    expect(parseRetryAfter(value)).toEqual({ afterMs });
  });

  test("of a thousand digits is a number too", () => {
    expect(parseRetryAfter("9".repeat(1000))).toEqual({ afterMs: Infinity });
  });

  test.each(["Fri, 06 Nov 2026 08:49:37 GMT", "Friday, 06-Nov-26 08:49:37 GMT", "Fri Nov  6 08:49:37 2026"])(
    "of %j is a date, in each form that HTTP has for it",
    (value) => {
      expect(parseRetryAfter(value)).toEqual({ atMs: MOMENT });
    },
  );

  test.each([
    ["nothing", ""],
    ["a negative number", "-1"],
    ["a fraction", "1.5"],
    ["an exponent", "1e3"],
    ["a hexadecimal number", "0x10"],
    ["a unit", "5 s"],
    ["words", "soon"],
    ["a list", "5, 10"],
    ["an ISO date", "2026-11-06T08:49:37Z"],
    ["a date of another zone", "Fri, 06 Nov 2026 08:49:37 CET"],
    ["a month that is none", "Fri, 06 Now 2026 08:49:37 GMT"],
    ["a day that is none", "Tue, 31 Feb 2026 08:49:37 GMT"],
    ["an hour that is none", "Fri, 06 Nov 2026 25:49:37 GMT"],
    ["Arabic digits", "١٢٠"],
  ])("that holds %s means nothing", (_what, value) => {
    expect(parseRetryAfter(value)).toBeNull();
  });
});

test("three answers may ask us to wait: too early, too many requests, unavailable", () => {
  const all = Array.from({ length: 500 }, (_, index) => index + 100);
  expect(all.filter(mayAskToWait)).toEqual([425, 429, 503]);
});
