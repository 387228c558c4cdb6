import { expect, test } from "vitest";
import { Slots } from "../../src/delivery/slots.ts";
import { T0 } from "../support/builders.ts";

test("requests in flight are counted in all and for each key, and a key without any is dropped", () => {
  const slots = new Slots({ total: 3, perOrigin: 2 });
  slots.acquire("a", T0);
  slots.acquire("a", T0);
  const slot = slots.acquire("b", T0);
  expect([slots.free(T0), Object.fromEntries(slots.inFlight)]).toEqual([0, { a: 2, b: 1 }]);
  slots.release(slot);
  expect([slots.free(T0), Object.fromEntries(slots.inFlight)]).toEqual([1, { a: 2 }]);
});

test("a slot is free within the limit of its key and within that of all", () => {
  const slots = new Slots({ total: 3, perOrigin: 2 });
  slots.acquire("a", T0);
  expect([slots.isFreeFor("a", T0), slots.isFreeFor("b", T0)]).toEqual([true, true]);
  slots.acquire("a", T0);
  expect([slots.isFreeFor("a", T0), slots.isFreeFor("b", T0)]).toEqual([false, true]);
  slots.acquire("b", T0);
  expect(slots.isFreeFor("c", T0)).toBe(false);
});

test("a request without an answer for 100 ms frees its slot of all, and keeps that of its key", () => {
  const slots = new Slots({ total: 2, perOrigin: 2 });
  const slow = slots.acquire("a", T0);
  slots.acquire("a", T0 + 50);
  expect([slots.free(T0 + 99), slots.nextFreeAt(T0 + 99)]).toEqual([0, T0 + 100]);
  expect([slots.free(T0 + 100), slots.nextFreeAt(T0 + 100)]).toEqual([1, null]);
  expect([slots.isFreeFor("a", T0 + 100), slots.isFreeFor("b", T0 + 100)]).toEqual([false, true]);
  slots.release(slow);
  expect(slots.isFreeFor("a", T0 + 100)).toBe(true);
});

test("slow requests are limited too", () => {
  const slots = new Slots({ total: 2, perOrigin: 100 });
  for (let index = 0; index < 16; index++) slots.acquire("a", T0);
  expect([slots.free(T0 + 5000), slots.nextFreeAt(T0 + 5000)]).toEqual([0, null]);
});

test("an answer frees the slot of its request, and no more answers are recorded at once than there are slots", () => {
  const slots = new Slots({ total: 2, perOrigin: 1 });
  const [first, second] = [slots.acquire("a", T0), slots.acquire("b", T0)];
  expect(slots.free(T0)).toBe(0);
  slots.startRecording(first);
  expect([slots.free(T0), slots.isFreeFor("a", T0), slots.isFreeFor("b", T0)]).toEqual([1, true, false]);
  slots.startRecording(second);
  expect([slots.free(T0), slots.nextFreeAt(T0), slots.inFlight.size]).toEqual([0, null, 0]);
  slots.release(first);
  expect(slots.free(T0)).toBe(1);
});
