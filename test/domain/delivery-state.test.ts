import { describe, expect, test } from "vitest";
import {
  enqueued,
  expired,
  held,
  isBeingSent,
  recorded,
  released,
  reopened,
  resumed,
  shownStatus,
  superseded,
  withdrawn,
} from "../../src/domain/delivery-state.ts";
import type { DeliveryState, StoredStep } from "../../src/domain/delivery-state.ts";
import { T0 } from "../support/builders.ts";

const NOW = T0 + 1000;
const LATER = NOW + 5000;

const aDelivery = (changes: Partial<DeliveryState> = {}): DeliveryState => ({
  status: "pending",
  claim: 0,
  attemptCount: 0,
  attemptsBefore: 0,
  nextAttemptAt: T0,
  sendAgain: false,
  notAfter: null,
  reason: null,
  settledAt: null,
  ...changes,
});

const DUE = aDelivery();
const WAITING = aDelivery({ claim: 1, attemptCount: 1, nextAttemptAt: LATER });
const HELD = aDelivery({ claim: 1, attemptCount: 1, nextAttemptAt: null });
const SENDING = aDelivery({ status: "sending", claim: 2, attemptCount: 1, nextAttemptAt: null });
const KEPT = aDelivery({ status: "sending", claim: 2, attemptCount: 1, nextAttemptAt: LATER });
const SUPERSEDED = { ...SENDING, reason: "superseded" } as const;
const DELIVERED = aDelivery({ status: "delivered", claim: 1, attemptCount: 3, nextAttemptAt: null, settledAt: T0 });
const EXHAUSTED = { ...DELIVERED, status: "exhausted", reason: "not_after" } as const;

test.each([
  [DUE, "pending", false],
  [HELD, "pending", false],
  [SENDING, "sending", true],
  [KEPT, "pending", false],
  [DELIVERED, "delivered", false],
] as const)("$status until $nextAttemptAt shows as %s", (delivery, shown, beingSent) => {
  expect([shownStatus(delivery), isBeingSent(delivery)]).toEqual([shown, beingSent]);
});

test.each([
  ["active", false, { status: "pending", claim: 0, nextAttemptAt: NOW, notAfter: LATER }],
  ["disabled", false, { status: "pending", claim: 0, nextAttemptAt: null, notAfter: LATER }],
  ["active", true, { status: "sending", claim: 1, nextAttemptAt: null, notAfter: LATER }],
] as const)("a new delivery of a callback that is %s, claimed: %s", (status, isClaimed, changes) => {
  expect(enqueued({ status, notAfter: LATER }, isClaimed, NOW)).toEqual(aDelivery(changes));
});

describe("redelivery", () => {
  test.each([
    ["delivered", DELIVERED, NOW],
    ["exhausted", EXHAUSTED, NOW],
    ["waiting for a later time", WAITING, NOW],
    ["due for some time", aDelivery({ nextAttemptAt: T0 - 9 }), T0 - 9],
    ["kept over a wait, whose claim is void by it", KEPT, NOW],
  ])("of one that is %s makes it due, its schedule new", (_, delivery, nextAttemptAt) => {
    expect(reopened(delivery, LATER, NOW)).toEqual({
      ...delivery,
      status: "pending",
      attemptsBefore: delivery.attemptCount,
      nextAttemptAt,
      sendAgain: false,
      notAfter: LATER,
      reason: null,
      settledAt: null,
    });
  });

  test("of one that is being sent only marks it", () => {
    expect(reopened(SENDING, LATER, NOW)).toEqual({ ...SENDING, sendAgain: true, attemptsBefore: 1, notAfter: LATER });
  });
});

test.each([
  ["due at its time", SENDING, "active", { status: "pending", nextAttemptAt: LATER }],
  ["held while its callback is disabled", SENDING, "disabled", { status: "pending", nextAttemptAt: null }],
  ["at its end when it was superseded", SUPERSEDED, "active", { status: "cancelled", settledAt: LATER }],
] as const)("a released claim is %s", (_, delivery, status, changes) => {
  expect(released(delivery, status, LATER)).toEqual({ ...delivery, ...changes });
});

describe("superseded", () => {
  test.each([
    ["due", DUE],
    ["waiting", WAITING],
    ["held", HELD],
    ["kept over a wait", KEPT],
  ])("one that is %s is cancelled", (_, delivery) => {
    expect(superseded(delivery, NOW)).toEqual({
      ...delivery,
      status: "cancelled",
      reason: "superseded",
      nextAttemptAt: null,
      settledAt: NOW,
    });
  });

  test("one that is being sent ends with its attempt", () => {
    expect(superseded(SENDING, NOW)).toEqual(SUPERSEDED);
  });
});

test.each([
  [false, { status: "exhausted", reason: "not_after" }],
  [true, { status: "cancelled", reason: "expired" }],
] as const)("expired, to a subscription: %s", (isToSubscription, end) => {
  expect(expired(WAITING, isToSubscription, NOW)).toEqual({ ...WAITING, ...end, nextAttemptAt: null, settledAt: NOW });
});

test("withdrawn is cancelled, a claim included", () => {
  const end = { status: "cancelled", nextAttemptAt: null, settledAt: NOW };
  expect(withdrawn(KEPT, NOW, null)).toEqual({ ...KEPT, ...end });
  expect(withdrawn(SENDING, NOW, "expired")).toEqual({ ...SENDING, ...end, reason: "expired" });
});

test.each([
  ["due", DUE, aDelivery({ nextAttemptAt: null })],
  ["kept over a wait", KEPT, { ...KEPT, status: "pending", nextAttemptAt: null }],
  ["being sent", SENDING, SENDING],
])("a disabled callback holds what is %s, unless a request is under way", (_, delivery, after) => {
  expect(held(delivery)).toEqual(after);
});

test.each([
  ["held", HELD, { ...HELD, nextAttemptAt: NOW }],
  ["waiting", WAITING, WAITING],
  ["being sent", SENDING, SENDING],
])("an enabled callback makes due what is held: %s", (_, delivery, after) => {
  expect(resumed(delivery, NOW)).toEqual(after);
});

describe("after an attempt", () => {
  const record = (delivery: DeliveryState, step: StoredStep, claim = 2) =>
    recorded(delivery, { claim, step, endedAt: NOW }, LATER + 9);
  const DELIVER = { status: "delivered" } as const;
  const PARK = { status: "pending", nextAttemptAt: LATER, keepClaim: false } as const;
  const KEEP = { ...PARK, keepClaim: true };
  const GIVE_UP = { status: "exhausted", disablesCallback: false } as const;
  const counted = { ...SENDING, attemptCount: 2 };

  test.each([
    ["success", DELIVER, { status: "delivered", settledAt: NOW }],
    ["failure before a long wait", PARK, { status: "pending", nextAttemptAt: LATER }],
    ["failure before a short wait", KEEP, { status: "sending", nextAttemptAt: LATER }],
    ["last failure", GIVE_UP, { status: "exhausted", settledAt: NOW }],
    [
      "last failure before its not_after",
      { ...GIVE_UP, reason: "not_after" },
      { status: "exhausted", reason: "not_after", settledAt: NOW },
    ],
  ] as const)("a %s takes its step", (_, step, changes) => {
    expect(record(SENDING, step)).toEqual({ claim: "current", isDueAgain: false, state: { ...counted, ...changes } });
  });

  test.each([
    ["claimed again", { ...SENDING, claim: 3 }],
    ["withdrawn", { ...SENDING, status: "cancelled", settledAt: T0 }],
    ["pending again", WAITING],
  ] as const)("one that was %s meanwhile only counts it", (_, delivery) => {
    const state = { ...delivery, attemptCount: 2 };
    expect(record(delivery, DELIVER)).toEqual({ claim: "void", isDueAgain: false, state });
  });

  test.each([PARK, KEEP])("one that was superseded has no further attempt", (step) => {
    const state = { ...counted, status: "cancelled", reason: "superseded", settledAt: NOW };
    expect(record(SUPERSEDED, step)).toEqual({ claim: "superseded", isDueAgain: false, state });
  });

  test("one that was superseded may still be delivered or given up", () => {
    expect(record(SUPERSEDED, DELIVER)).toMatchObject({
      claim: "current",
      state: { status: "delivered", reason: null },
    });
    expect(record(SUPERSEDED, GIVE_UP)).toMatchObject({
      claim: "current",
      state: { status: "exhausted", reason: null },
    });
  });

  test.each([DELIVER, PARK, KEEP, GIVE_UP])("one that was redelivered meanwhile is due again after %o", (step) => {
    expect(record({ ...SENDING, sendAgain: true }, step)).toEqual({
      claim: "current",
      isDueAgain: true,
      state: { ...counted, status: "pending", attemptsBefore: 2, nextAttemptAt: NOW, notAfter: LATER + 9 },
    });
  });

  test("one that was redelivered meanwhile is not sent to a receiver that is gone", () => {
    const gone = { status: "exhausted", disablesCallback: true } as const;
    expect(record({ ...SENDING, sendAgain: true }, gone)).toMatchObject({
      isDueAgain: false,
      state: { status: "exhausted", sendAgain: false, settledAt: NOW },
    });
  });
});
