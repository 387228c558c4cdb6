import { describe, expect, test } from "vitest";
import { CircuitBreaker } from "../../src/delivery/circuit-breaker.ts";
import { limitKeyOf } from "../../src/domain/limit-key.ts";
import { T0 } from "../support/builders.ts";

const ORIGIN = "http://receiver.example";
const OK = { statusCode: 200, error: null } as const;
const DOWN = { statusCode: 503, error: "http_5xx" } as const;
const MINUTE_MS = 60_000;

function failing(times: number, at = T0) {
  const breaker = new CircuitBreaker();
  const changes = Array.from({ length: times }, () => breaker.record(ORIGIN, DOWN, at));
  return { breaker, changes };
}

describe("an open circuit", () => {
  test("is neither closed nor failed by a name that resolves to a refused address for the moment", () => {
    const { breaker } = failing(100);
    const blocked = { statusCode: null, error: "blocked" } as const;
    expect(breaker.record(ORIGIN, blocked, T0 + MINUTE_MS)).toBeNull();
    expect([breaker.isOpen(ORIGIN), breaker.openOrigins.size]).toEqual([true, 1]);
  });

  test("is forgotten when no delivery was left to probe it for an hour", () => {
    const { breaker } = failing(100);
    expect(breaker.nextProbeAt(T0)).toBe(T0 + MINUTE_MS / 2);
    expect(breaker.nextProbeAt(T0 + 60 * MINUTE_MS)).toBeNull();
    expect(breaker.isOpen(ORIGIN)).toBe(true);
    expect(breaker.nextProbeAt(T0 + 61 * MINUTE_MS)).toBeNull();
    expect([breaker.isOpen(ORIGIN), breaker.openOrigins.size]).toEqual([false, 0]);
  });
});

describe("a circuit opens", () => {
  test("with the hundredth failure, and not before", () => {
    const { breaker, changes } = failing(99);
    expect([changes.every((change) => change === null), breaker.isOpen(ORIGIN)]).toEqual([true, false]);
    expect(breaker.record(ORIGIN, DOWN, T0)).toBe("opened");
    expect(breaker.openKeys).toEqual([ORIGIN]);
  });

  test("only when more than 95 % fail", () => {
    const { breaker } = failing(90);
    for (let index = 0; index < 10; index++) breaker.record(ORIGIN, OK, T0);
    for (let index = 0; index < 99; index++) expect(breaker.record(ORIGIN, DOWN, T0)).toBeNull();
    expect(breaker.isOpen(ORIGIN)).toBe(false);
  });

  test("only for failures of the last hour", () => {
    const { breaker } = failing(99);
    expect(breaker.record(ORIGIN, DOWN, T0 + 61 * MINUTE_MS)).toBeNull();
  });

  test("from the failures of the 10,000 keys that failed last: a client that fails at ever more origins fills no memory", () => {
    const { breaker } = failing(98);
    const failElsewhere = (count: number, name: string) => {
      for (let index = 0; index < count; index++) breaker.record(`http://${name}-${index}.example`, DOWN, T0);
    };
    failElsewhere(9_999, "a");
    // It is still counted, and is the last one to fail again.
    expect(breaker.record(ORIGIN, DOWN, T0)).toBeNull();
    failElsewhere(9_999, "b");
    expect(breaker.record(ORIGIN, DOWN, T0)).toBe("opened");
    const forgotten = failing(99).breaker;
    for (let index = 0; index < 10_000; index++) forgotten.record(`http://c-${index}.example`, DOWN, T0);
    expect(forgotten.record(ORIGIN, DOWN, T0)).toBeNull();
  });

  test.each([
    { statusCode: 404, error: "http_4xx" },
    { statusCode: 410, error: "http_4xx" },
    { statusCode: 429, error: "http_4xx" },
    { statusCode: null, error: "blocked" },
  ] as const)("not for $statusCode $error, which is about one URL", (outcome) => {
    const breaker = new CircuitBreaker();
    for (let index = 0; index < 200; index++) breaker.record(ORIGIN, outcome, T0);
    expect(breaker.isOpen(ORIGIN)).toBe(false);
  });

  test.each([
    { statusCode: 500, error: "http_5xx" },
    { statusCode: null, error: "timeout" },
    { statusCode: null, error: "connection_refused" },
  ] as const)("for $statusCode $error", (outcome) => {
    const breaker = new CircuitBreaker();
    for (let index = 0; index < 100; index++) breaker.record(ORIGIN, outcome, T0);
    expect(breaker.isOpen(ORIGIN)).toBe(true);
  });
});

describe("while a circuit is open", () => {
  test("a probe may start after 30 s, and each failure doubles the wait, up to ten minutes", () => {
    const { breaker } = failing(100);
    let now = T0;
    for (const wait of [30, 60, 120, 240, 480, 600, 600]) {
      expect(breaker.nextProbeAt(now)).toBe(now + wait * 1000);
      expect(breaker.probeSlots(ORIGIN, now + wait * 1000 - 1)).toBe(0);
      now += wait * 1000;
      expect([breaker.probeSlots(ORIGIN, now), breaker.nextProbeAt(now)]).toEqual([1, null]);
      breaker.record(ORIGIN, DOWN, now);
    }
  });

  test("429 leaves it open, and the next probe waits longer", () => {
    const { breaker } = failing(100);
    expect(breaker.record(ORIGIN, { statusCode: 429, error: "http_4xx" }, T0 + 30_000)).toBeNull();
    expect([breaker.isOpen(ORIGIN), breaker.nextProbeAt(T0 + 30_000)]).toEqual([true, T0 + 90_000]);
  });

  test("a request that was in flight when the circuit opened is not a probe", () => {
    const { breaker } = failing(100);
    breaker.record(ORIGIN, DOWN, T0 + 1);
    expect(breaker.nextProbeAt(T0 + 1)).toBe(T0 + 30_000);
  });

  test("one success closes it, and its failures are forgotten", () => {
    const { breaker } = failing(100);
    expect(breaker.record(ORIGIN, OK, T0 + 30_000)).toBe("closed");
    expect([breaker.isOpen(ORIGIN), breaker.record(ORIGIN, DOWN, T0 + 30_001)]).toEqual([false, null]);
  });

  test("it is known since when, and from when on the next probe may start", () => {
    const { breaker } = failing(99);
    expect(breaker.openCircuit(ORIGIN)).toBeNull();
    breaker.record(ORIGIN, DOWN, T0 + 1);
    expect(breaker.openCircuit(ORIGIN)).toEqual({ since: T0 + 1, probeAt: T0 + 30_001 });
    breaker.record(ORIGIN, DOWN, T0 + 30_001);
    expect(breaker.openCircuit(ORIGIN)).toEqual({ since: T0 + 1, probeAt: T0 + 90_001 });
    expect(breaker.openCircuit("http://other.example")).toBeNull();
  });
});

describe("an origin that several principals share", () => {
  const keyOf = (principal: string) => limitKeyOf({ principal, origin: ORIGIN });
  const open = (breaker: CircuitBreaker, principal: string) => {
    for (let count = 0; count < 100; count++) breaker.record(keyOf(principal), DOWN, T0);
  };

  test("that fails for one keeps nothing of another, whose failures are counted by themselves", () => {
    const breaker = new CircuitBreaker();
    open(breaker, "bob");
    expect([breaker.isOpen(keyOf("bob")), breaker.isOpen(keyOf("alice"))]).toEqual([true, false]);
    expect(breaker.record(keyOf("alice"), DOWN, T0)).toBeNull();
  });

  test("that fails for two is down: the circuit of a third opens with its first failure, and never before", () => {
    const breaker = new CircuitBreaker();
    for (const principal of ["bob", "carol"]) open(breaker, principal);
    expect(breaker.isOpen(keyOf("alice"))).toBe(false);
    expect(breaker.record(keyOf("alice"), DOWN, T0)).toBe("opened");
    expect(breaker.openOrigins).toEqual(new Set([ORIGIN]));
    // Each has its own probe.
    expect(breaker.openKeys.map((key) => breaker.probeSlots(key, T0 + 30_000))).toEqual([1, 1, 1]);
  });

  test("that fails for two and works for a third is not down", () => {
    const breaker = new CircuitBreaker();
    for (const principal of ["bob", "carol"]) open(breaker, principal);
    breaker.record(keyOf("alice"), OK, T0);
    expect(breaker.record(keyOf("alice"), DOWN, T0)).toBeNull();
  });

  test("is forgotten with its last open circuit", () => {
    const breaker = new CircuitBreaker();
    for (const principal of ["bob", "carol"]) open(breaker, principal);
    for (const principal of ["bob", "carol"]) breaker.record(keyOf(principal), OK, T0 + 30_000);
    expect(breaker.openOrigins.size).toBe(0);
    expect(breaker.record(keyOf("alice"), DOWN, T0 + 30_000)).toBeNull();
  });
});

describe("the outcome of a test event", () => {
  test.each([OK, { statusCode: 404, error: "http_4xx" }] as const)("$statusCode closes the circuit", (answer) => {
    const { breaker } = failing(100);
    expect(breaker.recordTest(ORIGIN, answer)).toBe(true);
    expect([breaker.isOpen(ORIGIN), breaker.recordTest(ORIGIN, answer)]).toEqual([false, false]);
  });

  test.each([
    DOWN,
    { statusCode: 429, error: "http_4xx" },
    { statusCode: null, error: "timeout" },
    { statusCode: null, error: "blocked" },
  ] as const)("$statusCode $error changes nothing, and delays no probe", (answer) => {
    const { breaker } = failing(100);
    expect(breaker.recordTest(ORIGIN, answer)).toBe(false);
    expect(breaker.openCircuit(ORIGIN)).toEqual({ since: T0, probeAt: T0 + 30_000 });
  });

  test("does not count for a closed circuit", () => {
    const { breaker } = failing(99);
    expect(breaker.recordTest(ORIGIN, OK)).toBe(false);
    expect(breaker.record(ORIGIN, DOWN, T0)).toBe("opened");
  });

  test("calls `closedByTest` once when it closes the circuit, so that due deliveries are claimed", () => {
    let calls = 0;
    const breaker = new CircuitBreaker(() => void calls++);
    for (let index = 0; index < 100; index++) breaker.record(ORIGIN, DOWN, T0);
    for (const answer of [DOWN, OK, OK]) breaker.recordTest(ORIGIN, answer);
    expect(calls).toBe(1);
  });
});
