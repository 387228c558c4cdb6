import { expect, test } from "vitest";
import { InFlight } from "../../src/delivery/in-flight.ts";

test("counts what is under way, in all and per origin, and forgets an origin that has none", () => {
  const inFlight = new InFlight({ total: 3, perOrigin: 2 });
  inFlight.enter("a");
  inFlight.enter("a");
  inFlight.enter("b");
  expect([inFlight.room, Object.fromEntries(inFlight.perOrigin)]).toEqual([0, { a: 2, b: 1 }]);
  inFlight.leave("b");
  expect([inFlight.room, Object.fromEntries(inFlight.perOrigin)]).toEqual([1, { a: 2 }]);
});

test("there is room for an origin within its own bound and within that of all", () => {
  const inFlight = new InFlight({ total: 3, perOrigin: 2 });
  inFlight.enter("a");
  expect([inFlight.hasRoomFor("a"), inFlight.hasRoomFor("b")]).toEqual([true, true]);
  inFlight.enter("a");
  expect([inFlight.hasRoomFor("a"), inFlight.hasRoomFor("b")]).toEqual([false, true]);
  inFlight.enter("b");
  expect(inFlight.hasRoomFor("c")).toBe(false);
});
