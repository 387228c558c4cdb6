import { expect, test } from "vitest";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { ConcurrencyLimiter } from "../../src/delivery/concurrency.ts";

const T0 = 1_000_000;

function aRoom({ total = 8, perOrigin = 2 } = {}) {
  let wakes = 0;
  const breaker = new CircuitBreaker();
  const room = new ConcurrencyLimiter({ limits: { total, perOrigin }, breaker, wake: () => void wakes++ });
  return { room, breaker, wakes: () => wakes };
}

/** By as many failures as it takes. */
function slow(breaker: CircuitBreaker, origin: string): void {
  for (let count = 0; count < 100; count++) breaker.record(origin, { statusCode: 503, error: "http_5xx" }, T0);
  expect(breaker.isSlow(origin)).toBe(true);
}

test("while the line is looked along nobody enters at once, and who leaves says so", () => {
  const { room, wakes } = aRoom();
  const slot = room.enter("a", T0);
  expect(room.enterAtOnce("b", T0)).toBeNull();
  room.leave(slot);
  expect(wakes()).toBe(1);
  room.leaveInLine({ anyDue: false, hasMore: true });
  room.lookAlongLine();
  expect(room.enterAtOnce("b", T0)).toBeNull();
});

test("with nobody in line there is a place at once up to the limits, and leaving wakes nobody", () => {
  const { room, wakes } = aRoom({ total: 3, perOrigin: 2 });
  room.leaveInLine({ anyDue: false, hasMore: true });
  const places = ["a", "a", "a", "b", "b"].map((origin) => room.enterAtOnce(origin, T0));
  expect(places.map((place) => place !== null)).toEqual([true, true, false, true, false]);
  room.answered(places[0]!);
  room.leave(places[0]!);
  room.leave(places[3]!);
  expect(wakes()).toBe(0);
});

test("those who wait for any place are overtaken by nobody, and hear of every place", () => {
  const { room, wakes } = aRoom();
  const slot = room.enter("a", T0);
  room.leaveInLine({ anyDue: true, hasMore: false });
  expect(room.enterAtOnce("b", T0)).toBeNull();
  room.answered(slot);
  expect(wakes()).toBe(1);
});

test("those who wait for an origin that is full hold up no other, and hear of its places alone", () => {
  const { room, wakes } = aRoom();
  const full = [room.enter("a", T0), room.enter("a", T0)];
  room.leaveInLine({ anyDue: true, hasMore: true });
  const other = room.enterAtOnce("b", T0)!;
  expect(other).not.toBeNull();
  room.answered(other);
  room.leave(other);
  expect(wakes()).toBe(0);
  room.answered(full[0]!);
  expect(wakes()).toBe(1);
  // The place is for those in line, who have yet to be told.
  expect(room.enterAtOnce("a", T0)).toBeNull();
});

test("what waits for an origin in the slow lane holds up no other, and hears when its probe is over", () => {
  const { room, breaker, wakes } = aRoom();
  slow(breaker, "a");
  const probe = room.enter("a", T0);
  room.leaveInLine({ anyDue: true, hasMore: true });
  expect([room.enterAtOnce("a", T0), room.enterAtOnce("b", T0) !== null]).toEqual([null, true]);
  breaker.record("a", { statusCode: 204, error: null }, T0);
  room.answered(probe);
  expect(wakes()).toBe(1);
});
