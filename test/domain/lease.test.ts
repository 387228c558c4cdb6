import { expect, test } from "vitest";
import { completionDeadline, isSameLease, isUsable, leaseHolds, leaseStatus } from "../../src/domain/lease.ts";
import { T0 } from "../support/builders.ts";

const LEASED = { status: "running", leaseDigest: "mine", leaseUntil: T0 + 1 } as const;

test.each([
  ["before its time is over", LEASED, true],
  ["from its time on", { ...LEASED, leaseUntil: T0 }, false],
  ["of another token", { ...LEASED, leaseDigest: "other" }, false],
  ["that was released", { ...LEASED, status: "pending", leaseUntil: null }, false],
  ["whose task has ended", { ...LEASED, status: "completed" }, false],
  ["that has expired", { ...LEASED, leaseDigest: null, leaseUntil: null }, false],
] as const)("a lease %s holds: %s", (_, task, holds) => {
  expect(leaseHolds(task, "mine", T0)).toBe(holds);
});

test.each([
  ["running", LEASED, "current"],
  ["running beyond its time", { ...LEASED, leaseUntil: T0 - 1 }, "current"],
  ["completed", { ...LEASED, status: "completed" }, "current"],
  ["pending", { ...LEASED, status: "pending" }, "released"],
  ["claimed again", { ...LEASED, leaseDigest: "other" }, "lost"],
] as const)("the lease of a task that is %s is %s", (_, task, status) => {
  expect(leaseStatus(task, "mine")).toBe(status);
});

test.each([
  [LEASED, T0 + 1, true],
  [LEASED, T0, false],
  [{ ...LEASED, status: "failed" }, T0 + 1, false],
] as const)("%o, found expired at %i, is the same still: %s", (task, foundUntil, isSame) => {
  expect(isSameLease(task, foundUntil)).toBe(isSame);
});

test.each([
  [{ expiresAt: T0 + 1, usedAt: null }, true],
  [{ expiresAt: T0, usedAt: null }, false],
  [{ expiresAt: T0 + 1, usedAt: T0 - 1 }, false],
])("a completion URL %o can be used: %s", (completion, usable) => {
  expect(isUsable(completion, T0)).toBe(usable);
});

test("a task waits for the last of its completion URLs", () => {
  expect([completionDeadline(null, T0), completionDeadline(T0 + 1, T0), completionDeadline(T0 - 1, T0)]).toEqual([
    T0,
    T0 + 1,
    T0,
  ]);
});
