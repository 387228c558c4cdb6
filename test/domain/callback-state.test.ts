import { describe, expect, test } from "vitest";
import { enabled, healthAfter, IN_ORDER, isEnqueuedFor, isSendable, removed } from "../../src/domain/callback-state.ts";
import type { CallbackState } from "../../src/domain/callback-state.ts";
import { T0 } from "../support/builders.ts";

const NOW = T0 + 5000;
const POLICY = { forMs: 5000, failuresMin: 3 };

const ACTIVE: CallbackState = { ...IN_ORDER, status: "active", lastDeliveryAt: null };
const FAILING: CallbackState = { ...ACTIVE, failingSince: T0, failures: 2, lastError: "http_5xx" };
const DISABLED: CallbackState = { ...FAILING, status: "disabled", disabledReason: "failing", disabledAt: T0 + 9 };
const GONE: CallbackState = { ...DISABLED, disabledReason: "gone" };
const REMOVED: CallbackState = { ...ACTIVE, status: "removed" };

describe("after a success", () => {
  const succeed = (callback: CallbackState) =>
    healthAfter(callback, { error: null, statusCode: 204, isGone: false, endedAt: NOW }, POLICY);

  test.each([
    ["in order", ACTIVE],
    ["failing", FAILING],
  ])("a callback that was %s is in order", (_, callback) => {
    const state = { ...ACTIVE, lastDeliveryAt: NOW };
    expect(succeed(callback)).toEqual({ state, deliveries: null, became: null });
  });

  test.each([
    ["failing", DISABLED],
    ["gone", GONE],
  ])("a callback that was disabled meanwhile (%s) is active again", (_, callback) => {
    const state = { ...ACTIVE, lastDeliveryAt: NOW };
    expect(succeed(callback)).toEqual({ state, deliveries: "resume", became: "active" });
  });
});

describe("after a failure", () => {
  const fail = (callback: CallbackState, changes: { isGone?: boolean; policy?: typeof POLICY | null } = {}) => {
    const { isGone = false, policy = POLICY } = changes;
    return healthAfter(callback, { error: "timeout", statusCode: null, isGone, endedAt: NOW }, policy);
  };
  const failed = { ...FAILING, failures: 3, lastError: "timeout" };

  test("the first one is the time since which the callback fails", () => {
    const state = { ...ACTIVE, failingSince: NOW, failures: 1, lastError: "timeout" };
    expect(fail(ACTIVE)).toEqual({ state, deliveries: null, became: null });
  });

  test("the one that the policy does not bear disables it", () => {
    const state = { ...failed, status: "disabled", disabledReason: "failing", disabledAt: NOW };
    expect(fail(FAILING)).toEqual({ state, deliveries: "hold", became: "disabled" });
  });

  test.each([
    ["has failed for a shorter time", { ...FAILING, failingSince: T0 + 1 }, POLICY],
    ["has failed less often", { ...FAILING, failures: 1 }, POLICY],
    ["has no policy", FAILING, null],
  ] as const)("a callback that %s stays active", (_, callback, policy) => {
    const state = { ...callback, failures: callback.failures + 1, lastError: "timeout" };
    expect(fail(callback, { policy })).toEqual({ state, deliveries: null, became: null });
  });

  test("a callback that was disabled meanwhile holds the delivery too", () => {
    const state = { ...DISABLED, failures: 3, lastError: "timeout" };
    expect(fail(DISABLED)).toEqual({ state, deliveries: "hold", became: null });
  });

  test.each([ACTIVE, FAILING, DISABLED])("410 that ends one delivery changes nothing ($status)", (callback) => {
    const answer = { error: "http_4xx", statusCode: 410, isGone: false, endedAt: NOW } as const;
    expect(healthAfter(callback, answer, POLICY)).toEqual({ state: callback, deliveries: null, became: null });
  });

  test.each([ACTIVE, FAILING, DISABLED])(
    "410 disables a callback permanently, whatever its status was ($status)",
    (callback) => {
      const { state, ...effect } = fail(callback, { isGone: true, policy: null });
      expect(effect).toEqual({ deliveries: "withdraw", became: "disabled" });
      expect(state).toMatchObject({
        status: "disabled",
        disabledReason: "gone",
        disabledAt: NOW,
        lastError: "timeout",
      });
    },
  );
});

test.each([
  [ACTIVE, true],
  [DISABLED, true],
  [GONE, false],
  [REMOVED, false],
])("events are enqueued for a callback that is $status, disabled for $disabledReason: %s", (callback, isEnqueued) => {
  expect(isEnqueuedFor(callback)).toBe(isEnqueued);
});

test("only a disabled callback is enabled", () => {
  expect([enabled(DISABLED), enabled(GONE)]).toEqual([ACTIVE, ACTIVE]);
  expect([enabled(FAILING), enabled(REMOVED)]).toEqual([FAILING, REMOVED]);
});

test("a removed callback has no failures, and is removed once", () => {
  expect(removed(DISABLED)).toEqual(REMOVED);
  expect(removed(REMOVED)).toBe(REMOVED);
});

test.each([
  [ACTIVE, null, true],
  [ACTIVE, NOW + 1, true],
  [ACTIVE, NOW, false],
  [DISABLED, null, false],
])("a new delivery is sent at once to a callback that is $status, until %s: %s", (callback, notAfter, isSoon) => {
  expect(isSendable({ ...callback, notAfter }, NOW)).toBe(isSoon);
});
