import { expect, test } from "vitest";
import { isOutdated } from "../../src/domain/retention.ts";
import { T0 } from "../support/builders.ts";

const OLD = { newestRegistration: T0 - 1, newestSettlement: T0 - 1, hasOpenDelivery: false };

test.each([
  ["old as a whole", OLD, true],
  ["without callbacks", { newestRegistration: null, newestSettlement: null, hasOpenDelivery: false }, true],
  ["with a callback that was registered later", { ...OLD, newestRegistration: T0 }, false],
  ["with a delivery that was settled later", { ...OLD, newestSettlement: T0 }, false],
  ["with an open delivery", { ...OLD, hasOpenDelivery: true }, false],
])("a task that is %s is removed: %s", (_, age, isRemoved) => {
  expect(isOutdated(age, T0)).toBe(isRemoved);
});
