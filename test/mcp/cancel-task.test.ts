import { beforeEach, describe, expect, it } from "vitest";
import { COMPLETED, NOW, REGISTRATION, START, startAsking } from "./asking.ts";
import type { Asking } from "./asking.ts";
import { VERSIONS } from "./clients.ts";

const { task_id } = START;

describe.each(VERSIONS)("cancel_task, called by a client of $version", ({ connect }) => {
  let asking: Asking;

  beforeEach(async () => {
    asking = await startAsking(connect);
  });

  it("cancels a task that waits or runs, notifies its callbacks, and changes nothing when it is called again", async () => {
    const { call, served } = asking;
    await call("register_callback", REGISTRATION);
    await call("start_task_with_callbacks", START);
    await served.runTask();
    const answer = await call("cancel_task", { task_id });
    expect(JSON.stringify(answer)).toBe(
      JSON.stringify({
        status: "cancelled",
        task_id,
        message: "🚫 Task cancelled! Notifying 1 registered callbacks.",
        timestamp: NOW,
      }),
    );
    expect(await call("cancel_task", { task_id })).toEqual({
      ...answer,
      message: "ℹ️ Task demo_task_123 had already ended and stays as it is; its status is cancelled.",
    });
    expect(await call("get_task_result", { task_id })).toMatchObject({
      status: "cancelled",
      result: null,
      error: "The task was cancelled on request.",
    });
    expect(served.emitted.filter(({ kind }) => kind === "task.finished")).toHaveLength(1);
    expect(await call("get_registered_callbacks", { task_id })).toMatchObject({
      callbacks: [{ deliveries: [{ event: "task_cancelled", status: "pending" }] }],
    });
  });

  it("leaves a task that has ended unchanged", async () => {
    const { call, served } = asking;
    await call("start_task_with_callbacks", START);
    await served.runTask(COMPLETED);
    expect(await call("cancel_task", { task_id })).toMatchObject({ status: "completed" });
    expect(await call("get_task_result", { task_id })).toMatchObject(COMPLETED);
  });

  it.each([
    [{ task_id: "never_started" }, "not_found"],
    [{}, "invalid"],
    [{ task_id: 7 }, "invalid"],
    [{ task_id, force: true }, "invalid"],
  ])("%j is %s", async (given, code) => {
    const { error } = await asking.client.callTool("cancel_task", given);
    expect(error).toMatchObject({ code });
  });
});
