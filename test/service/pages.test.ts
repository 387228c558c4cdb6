import { expect, test } from "vitest";
import { bytesOfDeliveries, readPage } from "../../src/service/pages.ts";

const all = Array.from({ length: 300 }, (_, index) => index);
const source = (bytes: (entry: number) => number) => ({
  read: async (after: number | null, limit: number) => all.slice((after ?? -1) + 1).slice(0, limit),
  bytesOf: bytes,
});

test.each([
  [1, 0],
  [20, 19],
  [50, 49],
  [51, 50],
  [100, 99],
  [299, 298],
  [300, null],
  [1000, null],
])("a page of %i has so many entries, and says after which to go on", async (limit, last) => {
  expect(
    await readPage(
      limit,
      source(() => 1),
    ),
  ).toEqual({ entries: all.slice(0, limit), last });
});

test("a page ends before the entry with which it would be too large, and the next one begins with it", async () => {
  const { entries, last } = await readPage(
    1000,
    source(() => 10_000),
  );
  expect([entries.length, last]).toEqual([26, 25]);
});

test("a page has at least one entry, of any size", async () => {
  expect(
    await readPage(
      1000,
      source(() => 10_000_000),
    ),
  ).toEqual({ entries: [0], last: 0 });
});

test("an empty page is the last page", async () => {
  const nothing = { read: async () => [], bytesOf: () => 0 };
  expect(await readPage(20, nothing)).toEqual({ entries: [], last: null });
});

test("the size of a delivery grows with its attempts", () => {
  const attempt = { number: 1, startedAt: 0, durationMs: 1, statusCode: 200, error: null };
  expect(bytesOfDeliveries([{ attempts: Array.from({ length: 20 }, () => attempt) }])).toBeGreaterThan(20 * 100);
  expect(bytesOfDeliveries([])).toBe(0);
});
