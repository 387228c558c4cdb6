import { describe, expect, test } from "vitest";
import { IN_ORDER } from "../../src/domain/callback-state.ts";
import { CALLBACKS_PER_TASK_MAX } from "../../src/domain/callback.ts";
import type { Callback } from "../../src/domain/callback.ts";
import { END_TYPES } from "../../src/domain/event.ts";
import { registrationOutcome } from "../../src/domain/registration.ts";
import { A_SECRET, aRegistration, T0 } from "../support/builders.ts";

const { registration } = aRegistration();
const NONE = { existing: null, callbackCount: 0, ended: null };
const EXISTING: Callback = {
  ...registration,
  id: "cb_1",
  principal: "local",
  signingSecret: A_SECRET,
  status: "active",
  registeredAt: T0,
  health: IN_ORDER,
  subscription: null,
};

const DISABLED: Callback = { ...EXISTING, status: "disabled" };

describe("a registration", () => {
  test.each([
    ["before the end of its task", NONE, { kind: "added", callbackCount: 1, awaitsTask: true, isDueNow: false }],
    [
      "beside others",
      { ...NONE, callbackCount: 7 },
      { kind: "added", callbackCount: 8, awaitsTask: true, isDueNow: false },
    ],
    [
      "after an end that it selects",
      { ...NONE, ended: "task_failed" },
      { kind: "added", callbackCount: 1, awaitsTask: false, isDueNow: true },
    ],
    [
      "of a callback that was removed",
      { ...NONE, existing: "removed" },
      { kind: "reactivated", callbackCount: 1, awaitsTask: true, isDueNow: false },
    ],
    [
      "of a callback that was removed, after the end",
      { existing: "removed", callbackCount: 2, ended: "task_completed" },
      { kind: "reactivated", callbackCount: 3, awaitsTask: false, isDueNow: true },
    ],
    ["as the last that a task may have", { ...NONE, callbackCount: CALLBACKS_PER_TASK_MAX }, { kind: "limit" }],
    [
      "of a removed callback whose place was taken",
      { ...NONE, existing: "removed", callbackCount: CALLBACKS_PER_TASK_MAX },
      { kind: "limit" },
    ],
    [
      "again",
      { ...NONE, existing: EXISTING, callbackCount: 1 },
      { kind: "existing", callback: EXISTING, callbackCount: 1 },
    ],
    [
      "again, where the task is full",
      { ...NONE, existing: EXISTING, callbackCount: CALLBACKS_PER_TASK_MAX },
      { kind: "existing", callback: EXISTING, callbackCount: CALLBACKS_PER_TASK_MAX },
    ],
    [
      "again, of a callback that is disabled",
      { ...NONE, existing: DISABLED, callbackCount: 1 },
      { kind: "existing", callback: DISABLED, callbackCount: 1 },
    ],
  ] as const)("%s", (_, facts, outcome) => {
    expect(registrationOutcome(facts, registration)).toEqual(outcome);
  });

  test("after an end that it does not select has nothing due", () => {
    const outcome = registrationOutcome(
      { ...NONE, ended: "task_failed" },
      { ...registration, events: ["task_completed"] },
    );
    expect(outcome).toMatchObject({ kind: "added", awaitsTask: false, isDueNow: false });
  });

  test.each([
    ["secret", { signingSecret: "whsec_other" }],
    ["events", { events: ["task_failed"] }],
    ["not_after", { notAfter: T0 + 1 }],
    ["body_format", { profile: "cloudevents" }],
  ] as const)("again with another %s contradicts the first", (difference, changes) => {
    const facts = { ...NONE, existing: EXISTING, callbackCount: 1 };
    const outcome = registrationOutcome(facts, { ...registration, ...changes });
    expect(outcome).toEqual({ kind: "conflict", difference });
  });

  test("again without a secret, or with the events in another order, is the same", () => {
    const again = { ...registration, signingSecret: null, events: END_TYPES.toReversed() };
    expect(registrationOutcome({ ...NONE, existing: EXISTING }, again)).toMatchObject({ kind: "existing" });
  });
});
