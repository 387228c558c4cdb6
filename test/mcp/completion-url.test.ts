import { describe, expect, it } from "vitest";
import { startAsking } from "./asking.ts";
import { VERSIONS } from "./clients.ts";

const START = { task_id: "t1", client_id: "c", task_type: "outside" };

describe.each(VERSIONS)("completion URLs, asked for by a client of $version", ({ connect }) => {
  it("are in the answer when they are asked for, a new one each time, and not for a task that has ended", async () => {
    const { call } = await startAsking(connect);
    const first = await call("start_task_with_callbacks", { ...START, completion_url: true });
    expect(first).toMatchObject({
      status: "started",
      completion_url: expect.stringMatching(/^http:\/\/callbacks\.example\/complete\/nonce-\d+$/),
    });
    const again = await call("start_task_with_callbacks", { ...START, completion_url: true });
    expect(again).toMatchObject({ status: "running", completion_url: expect.any(String) });
    expect(again["completion_url"]).not.toBe(first["completion_url"]);
    await call("cancel_task", { task_id: "t1" });
    const ended = await call("start_task_with_callbacks", { ...START, completion_url: true });
    expect(ended).toMatchObject({ status: "cancelled" });
    expect(ended).not.toHaveProperty("completion_url");
  });

  it("are not made unasked, and are refused for task types that the server runs itself", async () => {
    const { call, client } = await startAsking(connect);
    expect(await call("start_task_with_callbacks", START)).not.toHaveProperty("completion_url");
    const own = { task_id: "t2", client_id: "c", completion_url: true };
    const { error } = await client.callTool("start_task_with_callbacks", own);
    expect(error).toMatchObject({ code: "invalid", message: expect.stringContaining("completion_url") });
  });
});
