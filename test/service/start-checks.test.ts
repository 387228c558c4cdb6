import { expect, test } from "vitest";
import type { TargetPolicy } from "../../src/service/ports/target-policy.ts";
import { prepareCallbacks } from "../../src/service/start-checks.ts";
import { T0 } from "../support/builders.ts";

const anyTarget: TargetPolicy = { check: async () => ({ allowed: true }) };
const CALLBACK = { clientId: "c", url: "https://receiver.example/hook" };

test("callbacks are refused where the client has chosen no task id", async () => {
  await expect(prepareCallbacks([CALLBACK], null, anyTarget, T0)).rejects.toMatchObject({
    code: "invalid",
    message: "callbacks need a task_id; choose one, or register them after the start.",
  });
  expect(await prepareCallbacks([], null, anyTarget, T0)).toEqual([]);
});

test("the callbacks of a start are registered for its task id, and an error names its callback", async () => {
  expect(await prepareCallbacks([CALLBACK], "t1", anyTarget, T0)).toMatchObject([{ registration: { taskId: "t1" } }]);
  await expect(prepareCallbacks([CALLBACK, { ...CALLBACK, url: "x" }], "t1", anyTarget, T0)).rejects.toMatchObject({
    code: "invalid",
    message: expect.stringMatching(/^callbacks\[1\]: callback_url /),
  });
});
