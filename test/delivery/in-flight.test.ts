import { expect, test } from "vitest";
import { InFlight } from "../../src/delivery/in-flight.ts";

const never = new AbortController().signal;

test("counts what is under way, in all and per origin, and forgets an origin that has none", () => {
  const inFlight = new InFlight({ total: 3, perOrigin: 2 });
  inFlight.enter("a");
  inFlight.enter("a");
  inFlight.enter("b");
  expect([inFlight.room, Object.fromEntries(inFlight.perOrigin)]).toEqual([0, { a: 2, b: 1 }]);
  inFlight.leave("b");
  expect([inFlight.room, Object.fromEntries(inFlight.perOrigin)]).toEqual([1, { a: 2 }]);
});

test("who waits for room comes in when it is there, the first that fits, before new claims", async () => {
  const inFlight = new InFlight({ total: 2, perOrigin: 1 });
  inFlight.enter("a");
  inFlight.enter("b");
  const order: string[] = [];
  const waits = ["a", "c", "a"].map(async (origin, index) => {
    if (await inFlight.enterWhenThereIsRoom(origin, never)) order.push(`${origin}${index}`);
  });
  inFlight.leave("b");
  await waits[1];
  expect([order, inFlight.room]).toEqual([["c1"], 0]);
  inFlight.leave("a");
  await waits[0];
  inFlight.leave("a");
  await Promise.all(waits);
  expect(order).toEqual(["c1", "a0", "a2"]);
});

test("who gives up waiting takes no place", async () => {
  const inFlight = new InFlight({ total: 1, perOrigin: 1 });
  inFlight.enter("a");
  const giveUp = new AbortController();
  const waiting = inFlight.enterWhenThereIsRoom("a", giveUp.signal);
  giveUp.abort();
  expect(await waiting).toBe(false);
  inFlight.leave("a");
  expect(inFlight.room).toBe(1);
  expect(await inFlight.enterWhenThereIsRoom("a", giveUp.signal)).toBe(false);
});
