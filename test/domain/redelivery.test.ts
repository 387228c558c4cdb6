import { expect, test } from "vitest";
import { redeliveryRefusal } from "../../src/domain/redelivery.ts";
import { T0 } from "../support/builders.ts";

const ACTIVE = { status: "active", disabledReason: null, notAfter: null } as const;

test.each([
  ["an active callback", ACTIVE, "task_completed", null],
  ["an active callback before its not_after", { ...ACTIVE, notAfter: T0 + 1 }, "task_failed", null],
  ["an active callback from its not_after on", { ...ACTIVE, notAfter: T0 }, null, "past_not_after"],
  ["a removed callback", { ...ACTIVE, status: "removed" }, null, "removed"],
  ["a callback whose receiver is gone", { ...ACTIVE, status: "disabled", disabledReason: "gone" }, null, "gone"],
  ["a callback that has failed", { ...ACTIVE, status: "disabled", disabledReason: "failing" }, null, "failing"],
  ["progress, whatever the callback", { ...ACTIVE, status: "removed" }, "task_progress", "progress"],
] as const)("redelivery to %s", (_, target, event, refusal) => {
  expect(redeliveryRefusal(target, event, T0)).toBe(refusal);
});
