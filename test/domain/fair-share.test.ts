import { expect, test } from "vitest";
import { divide, shareOf } from "../../src/domain/fair-share.ts";

test.each([
  { held: 0, free: 64, share: 48 },
  { held: 48, free: 16, share: 0 },
  { held: 47, free: 17, share: 1 },
  { held: 0, free: 16, share: 12 },
  { held: 0, free: 1, share: 1 },
  { held: 2, free: 1, share: 1 },
  { held: 3, free: 1, share: 0 },
  { held: 0, free: 0, share: 0 },
  { held: 500, free: 12, share: 0 },
])("a principal that holds $held may take $share of $free free places", ({ held, free, share }) => {
  expect(shareOf(held, free)).toBe(share);
});

test("places that are taken one by one come to the same share", () => {
  for (let free = 0; free < 70; free++) {
    for (let held = 0; held < 70; held++) {
      let taken = 0;
      while (shareOf(held + taken, free - taken) > 0) taken++;
      expect(shareOf(held, free)).toBe(taken);
    }
  }
});

const all = (held: number) => ({ held, room: 99 });

test.each([
  { name: "one claimant gets everything", places: 8, claimants: [all(3)], parts: [8] },
  {
    name: "equals get equal parts, the first of them the odd place",
    places: 5,
    claimants: [all(0), all(0)],
    parts: [3, 2],
  },
  { name: "the fewest held come first", places: 6, claimants: [all(5), all(0), all(1)], parts: [0, 4, 2] },
  {
    name: "room is a bound",
    places: 9,
    claimants: [{ held: 0, room: 2 }, { held: 0, room: 0 }, all(4)],
    parts: [2, 0, 7],
  },
  { name: "places without a taker are left", places: 9, claimants: [{ held: 0, room: 1 }], parts: [1] },
  {
    name: "fewer places than claimants go to the first",
    places: 2,
    claimants: [all(1), all(1), all(1)],
    parts: [1, 1, 0],
  },
  { name: "no claimant", places: 9, claimants: [], parts: [] },
])("places are divided: $name", ({ places, claimants, parts }) => {
  expect(divide(places, claimants)).toEqual(parts);
});
