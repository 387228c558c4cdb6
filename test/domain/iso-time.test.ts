import { expect, test } from "vitest";
import { parseIsoTime } from "../../src/domain/iso-time.ts";

test.each([
  ["2026-11-30T05:00:00Z", Date.UTC(2026, 10, 30, 5)],
  ["2028-02-29T05:00Z", Date.UTC(2028, 1, 29, 5)],
  ["2026-11-30T05:00:00.5+01:00", Date.UTC(2026, 10, 30, 4, 0, 0, 500)],
])("%s is a time", (text, time) => expect(parseIsoTime(text)).toBe(time));

test.each([
  "2026-11-31T05:00:00Z",
  "2026-02-29T05:00:00Z",
  "2026-02-30T05:00:00+01:00",
  "2026-04-31T05:00Z",
  "2026-13-01T05:00:00Z",
  "2026-11-30T25:00:00Z",
  "2026-11-30T05:00:00",
  "2026-11-30",
  "tomorrow",
  "",
])("%j is no time", (text) => expect(parseIsoTime(text)).toBeNull());
