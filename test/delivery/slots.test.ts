import { expect, test } from "vitest";
import { Slots } from "../../src/delivery/slots.ts";
import { T0 } from "../support/builders.ts";

test("counts what is under way, in all and per origin, and forgets an origin that has none", () => {
  const inFlight = new Slots({ total: 3, perOrigin: 2 });
  inFlight.enter("a", T0);
  inFlight.enter("a", T0);
  const slot = inFlight.enter("b", T0);
  expect([inFlight.room(T0), Object.fromEntries(inFlight.perOrigin)]).toEqual([0, { a: 2, b: 1 }]);
  inFlight.leave(slot);
  expect([inFlight.room(T0), Object.fromEntries(inFlight.perOrigin)]).toEqual([1, { a: 2 }]);
});

test("there is room for an origin within its own bound and within that of all", () => {
  const inFlight = new Slots({ total: 3, perOrigin: 2 });
  inFlight.enter("a", T0);
  expect([inFlight.hasRoomFor("a", T0), inFlight.hasRoomFor("b", T0)]).toEqual([true, true]);
  inFlight.enter("a", T0);
  expect([inFlight.hasRoomFor("a", T0), inFlight.hasRoomFor("b", T0)]).toEqual([false, true]);
  inFlight.enter("b", T0);
  expect(inFlight.hasRoomFor("c", T0)).toBe(false);
});

test("a request that waits for a tenth of a second leaves its place to others, but not that of its origin", () => {
  const inFlight = new Slots({ total: 2, perOrigin: 2 });
  const slow = inFlight.enter("a", T0);
  inFlight.enter("a", T0 + 50);
  expect([inFlight.room(T0 + 99), inFlight.nextRoomAt(T0 + 99)]).toEqual([0, T0 + 100]);
  expect([inFlight.room(T0 + 100), inFlight.nextRoomAt(T0 + 100)]).toEqual([1, null]);
  expect([inFlight.hasRoomFor("a", T0 + 100), inFlight.hasRoomFor("b", T0 + 100)]).toEqual([false, true]);
  inFlight.leave(slow);
  expect(inFlight.hasRoomFor("a", T0 + 100)).toBe(true);
});

test("also those that wait are bounded", () => {
  const inFlight = new Slots({ total: 2, perOrigin: 100 });
  for (let index = 0; index < 16; index++) inFlight.enter("a", T0);
  expect([inFlight.room(T0 + 5000), inFlight.nextRoomAt(T0 + 5000)]).toEqual([0, null]);
});

test("an answer frees the place of its request, and no more of them are recorded at once than there are places", () => {
  const inFlight = new Slots({ total: 2, perOrigin: 1 });
  const [first, second] = [inFlight.enter("a", T0), inFlight.enter("b", T0)];
  expect(inFlight.room(T0)).toBe(0);
  inFlight.answered(first);
  expect([inFlight.room(T0), inFlight.hasRoomFor("a", T0), inFlight.hasRoomFor("b", T0)]).toEqual([1, true, false]);
  inFlight.answered(second);
  expect([inFlight.room(T0), inFlight.nextRoomAt(T0), inFlight.perOrigin.size]).toEqual([0, null, 0]);
  inFlight.leave(first);
  expect(inFlight.room(T0)).toBe(1);
});
