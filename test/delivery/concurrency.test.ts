import { expect, test } from "vitest";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { ConcurrencyLimiter } from "../../src/delivery/concurrency.ts";

const T0 = 1_000_000;

function aLimiter({ total = 8, perOrigin = 2 } = {}) {
  let wakes = 0;
  const breaker = new CircuitBreaker();
  const limiter = new ConcurrencyLimiter({ limits: { total, perOrigin }, breaker, wake: () => void wakes++ });
  return { limiter, breaker, wakes: () => wakes };
}

/** By as many failures as it takes. */
function openCircuit(breaker: CircuitBreaker, key: string): void {
  for (let count = 0; count < 100; count++) breaker.record(key, { statusCode: 503, error: "http_5xx" }, T0);
  expect(breaker.isOpen(key)).toBe(true);
}

test("during a pass no new delivery gets a slot, and a released slot wakes the dispatcher", () => {
  const { limiter, wakes } = aLimiter();
  const slot = limiter.acquire("a", T0);
  expect(limiter.tryAcquire("b", T0)).toBeNull();
  limiter.release(slot);
  expect(wakes()).toBe(1);
  limiter.endPass({ anyDue: false, tookAllSlots: false });
  limiter.startPass();
  expect(limiter.tryAcquire("b", T0)).toBeNull();
});

test("when no delivery waits, new ones get slots up to the limits, and a released slot wakes nothing", () => {
  const { limiter, wakes } = aLimiter({ total: 3, perOrigin: 2 });
  limiter.endPass({ anyDue: false, tookAllSlots: false });
  const slots = ["a", "a", "a", "b", "b"].map((key) => limiter.tryAcquire(key, T0));
  expect(slots.map((slot) => slot !== null)).toEqual([true, true, false, true, false]);
  limiter.startRecording(slots[0]!);
  limiter.release(slots[0]!);
  limiter.release(slots[3]!);
  expect(wakes()).toBe(0);
});

test("no new delivery overtakes those that wait for any slot, and every free slot wakes the dispatcher", () => {
  const { limiter, wakes } = aLimiter();
  const slot = limiter.acquire("a", T0);
  limiter.endPass({ anyDue: true, tookAllSlots: true });
  expect(limiter.tryAcquire("b", T0)).toBeNull();
  limiter.startRecording(slot);
  expect(wakes()).toBe(1);
});

test("deliveries that wait for an origin without free slots hold up no other origin, and only its slots wake the dispatcher", () => {
  const { limiter, wakes } = aLimiter();
  const full = [limiter.acquire("a", T0), limiter.acquire("a", T0)];
  limiter.endPass({ anyDue: true, tookAllSlots: false });
  const other = limiter.tryAcquire("b", T0)!;
  expect(other).not.toBeNull();
  limiter.startRecording(other);
  limiter.release(other);
  expect(wakes()).toBe(0);
  limiter.startRecording(full[0]!);
  expect(wakes()).toBe(1);
  // The next pass takes this slot.
  expect(limiter.tryAcquire("a", T0)).toBeNull();
});

test("deliveries that wait for an open circuit hold up no other origin, and the end of its probe wakes the dispatcher", () => {
  const { limiter, breaker, wakes } = aLimiter();
  openCircuit(breaker, "a");
  const probe = limiter.acquire("a", T0);
  limiter.endPass({ anyDue: true, tookAllSlots: false });
  expect([limiter.tryAcquire("a", T0), limiter.tryAcquire("b", T0) !== null]).toEqual([null, true]);
  breaker.record("a", { statusCode: 204, error: null }, T0);
  limiter.startRecording(probe);
  expect(wakes()).toBe(1);
});

test("a pass may claim, for each key, what its requests in flight and its circuit leave free", () => {
  const { limiter, breaker } = aLimiter();
  limiter.acquire("a", T0);
  openCircuit(breaker, "down");
  const [waiting, probing] = [T0, T0 + 30_000].map((now) => Object.fromEntries(limiter.freeSlotsByKey(now)));
  expect([waiting, probing]).toEqual([
    { a: 1, down: 0 },
    { a: 1, down: 1 },
  ]);
  expect(limiter.tryReacquire("down", T0 + 30_000)).toBeNull();
});
