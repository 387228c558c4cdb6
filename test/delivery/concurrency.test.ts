import { describe, expect, test } from "vitest";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { limitKeyOf } from "../../src/domain/limit-key.ts";
import { ConcurrencyLimiter } from "../../src/delivery/concurrency.ts";

const T0 = 1_000_000;

function aLimiter({ total = 8, perOrigin = 2, isShared = false } = {}) {
  let wakes = 0;
  const breaker = new CircuitBreaker();
  const limiter = new ConcurrencyLimiter({ limits: { total, perOrigin, isShared }, breaker, wake: () => void wakes++ });
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
  limiter.endPass({ anyDue: false, tookAllSlots: false, now: T0 });
  limiter.startPass();
  expect(limiter.tryAcquire("b", T0)).toBeNull();
});

test("when no delivery waits, new ones get slots up to the limits, and a released slot wakes nothing", () => {
  const { limiter, wakes } = aLimiter({ total: 3, perOrigin: 2 });
  limiter.endPass({ anyDue: false, tookAllSlots: false, now: T0 });
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
  limiter.endPass({ anyDue: true, tookAllSlots: true, now: T0 });
  expect(limiter.tryAcquire("b", T0)).toBeNull();
  limiter.startRecording(slot);
  expect(wakes()).toBe(1);
});

test("deliveries that wait for an origin without free slots hold up no other origin, and only its slots wake the dispatcher", () => {
  const { limiter, wakes } = aLimiter();
  const full = [limiter.acquire("a", T0), limiter.acquire("a", T0)];
  limiter.endPass({ anyDue: true, tookAllSlots: false, now: T0 });
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
  limiter.endPass({ anyDue: true, tookAllSlots: false, now: T0 });
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

describe("with several principals", () => {
  const keyOf = (principal: string, host = principal) => limitKeyOf({ principal, origin: `http://${host}.example` });

  test("one that hangs holds three quarters of the slots, and another gets the rest at once", () => {
    const { limiter } = aLimiter({ total: 8, perOrigin: 99, isShared: true });
    limiter.endPass({ anyDue: false, tookAllSlots: false, now: T0 });
    const acquired = (principal: string) =>
      Array.from({ length: 8 }, (_, index) => limiter.tryAcquire(keyOf(principal, `h${index}`), T0)).filter(Boolean);
    expect(acquired("bob")).toHaveLength(6);
    expect(acquired("alice")).toHaveLength(2);
  });

  test("one alone that is known uses everything", () => {
    const { limiter } = aLimiter({ total: 8, perOrigin: 99 });
    limiter.endPass({ anyDue: false, tookAllSlots: false, now: T0 });
    expect(Array.from({ length: 9 }, () => limiter.tryAcquire(keyOf("bob"), T0)).filter(Boolean)).toHaveLength(8);
  });

  test("requests without an answer are shared too, whatever their age", () => {
    const { limiter } = aLimiter({ total: 8, perOrigin: 99, isShared: true });
    let now = T0;
    for (let turn = 0; turn < 50; turn++) {
      limiter.endPass({ anyDue: false, tookAllSlots: false, now });
      for (let index = 0; index < 8; index++) limiter.tryAcquire(keyOf("bob", `h${turn}`), now);
      now += 1000;
    }
    // 64 may be in flight.
    expect(limiter.claimable(now).claimants.get("bob")).toEqual({ held: 48, room: 0 });
    expect(limiter.freeSlots(now)).toBe(8);
  });

  test("deliveries of one that has its share wait, no new one overtakes them, and each slot that is freed wakes the dispatcher", () => {
    const { limiter, wakes } = aLimiter({ total: 8, perOrigin: 99, isShared: true });
    for (let index = 0; index < 6; index++) limiter.acquire(keyOf("bob"), T0);
    limiter.endPass({ anyDue: true, tookAllSlots: false, now: T0 });
    expect(limiter.tryAcquire(keyOf("bob"), T0)).toBeNull();
    const other = limiter.tryAcquire(keyOf("alice"), T0)!;
    expect(other).not.toBeNull();
    limiter.release(other);
    expect(wakes()).toBe(1);
    // The passing of time frees slots as well.
    expect(limiter.nextFreeAt(T0)).toBe(T0 + 100);
  });

  test("the slots of an origin are shared, and a slot that one frees there wakes the other", () => {
    const { limiter, wakes } = aLimiter({ total: 64, perOrigin: 8, isShared: true });
    const bobs = Array.from({ length: 6 }, () => limiter.acquire(keyOf("bob", "shared"), T0));
    limiter.endPass({ anyDue: true, tookAllSlots: false, now: T0 });
    expect(limiter.tryAcquire(keyOf("bob", "shared"), T0)).toBeNull();
    const own = limiter.tryAcquire(keyOf("alice", "shared"), T0)!;
    expect(own).not.toBeNull();
    limiter.release(own);
    limiter.release(bobs[0]!);
    expect(wakes()).toBe(2);
  });

  test("a circuit is that of one principal at an origin", () => {
    const { limiter, breaker } = aLimiter({ isShared: true });
    limiter.endPass({ anyDue: false, tookAllSlots: false, now: T0 });
    openCircuit(breaker, keyOf("bob", "shared"));
    expect(limiter.tryAcquire(keyOf("bob", "shared"), T0)).toBeNull();
    expect(limiter.tryAcquire(keyOf("alice", "shared"), T0)).not.toBeNull();
  });
});
