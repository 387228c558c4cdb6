import { beforeEach, describe, expect, it } from "vitest";
import { A_SECRET } from "../support/builders.ts";
import { attempt, COMPLETED, NOW, REGISTRATION, START, startAsking, URL_B } from "./asking.ts";
import type { Asking } from "./asking.ts";
import { VERSIONS } from "./clients.ts";
import type { TestClient } from "./clients.ts";
import type { ServedMcp } from "./serve-mcp.ts";

const GONE = { status: "exhausted", disablesCallback: true } as const;

describe.each(VERSIONS)("the tools that act, called by a client of $version", ({ connect }) => {
  let served: ServedMcp;
  let client: TestClient;
  let call: Asking["call"];

  beforeEach(async () => {
    ({ served, client, call } = await startAsking(connect));
  });

  describe("register_callback", () => {
    it("answers as the contract says, keys in order", async () => {
      const answer = await call("register_callback", REGISTRATION);
      expect(JSON.stringify(answer, null, 1)).toBe(
        JSON.stringify(
          {
            status: "registered",
            ...REGISTRATION,
            message: `✅ Callback registered! You'll receive HTTP POST to ${URL_B} when task demo_task_123 completes.`,
            registered_callbacks: 1,
            timestamp: NOW,
            callback_id: answer["callback_id"],
            signing_secret: answer["signing_secret"],
          },
          null,
          1,
        ),
      );
      expect(answer["callback_id"]).toMatch(/^cb_[0-9a-z]{26}$/);
      expect(answer["signing_secret"]).toMatch(/^whsec_[A-Za-z0-9+/]+=*$/);
    });

    it("answers alike when the call is repeated, and counts the next callback", async () => {
      const first = await call("register_callback", REGISTRATION);
      expect(await call("register_callback", REGISTRATION)).toEqual(first);
      const other = await call("register_callback", { ...REGISTRATION, client_id: "inspector_c" });
      expect(other).toMatchObject({ status: "registered", registered_callbacks: 2 });
    });

    it("keeps the secret and the events it is given", async () => {
      const chosen = { ...REGISTRATION, secret: A_SECRET, events: ["task_failed"] };
      expect(await call("register_callback", chosen)).toMatchObject({ signing_secret: A_SECRET });
      const repeated = await client.callTool("register_callback", REGISTRATION);
      expect(repeated.error).toMatchObject({ code: "conflict", message: expect.stringContaining("events") });
    });

    it("says when progress is sent, and that other events than the default are a conflict", async () => {
      const ends = ["task_completed", "task_failed", "task_cancelled"];
      const all = await call("register_callback", { ...REGISTRATION, events: ["task_progress", ...ends] });
      expect(all["message"]).toContain(`${URL_B} on the progress of task demo_task_123 and when it completes.`);
      const only = { ...REGISTRATION, client_id: "other", events: ["task_progress"] };
      expect((await call("register_callback", only))["message"]).toContain("demo_task_123, and not when it ends.");
      expect((await client.callTool("register_callback", REGISTRATION)).error).toMatchObject({ code: "conflict" });
    });

    it("keeps the not_after it is given in any zone, and answers in UTC", async () => {
      const answer = await call("register_callback", { ...REGISTRATION, not_after: "2026-11-24T06:00:00+01:00" });
      expect(answer).toMatchObject({ not_after: "2026-11-24T05:00:00.000Z" });
      expect(await call("register_callback", { ...REGISTRATION, not_after: "2026-11-24T05:00:00Z" })).toEqual(answer);
    });

    it("says that the POST is sent now when the task has already ended", async () => {
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      const { message } = await call("register_callback", REGISTRATION);
      expect(message).toBe(
        `✅ Callback registered! Task demo_task_123 has already ended with task_completed: the HTTP POST to ${URL_B} is sent now.`,
      );
    });

    it("says that nothing will be sent when the task ended with an event that was not selected", async () => {
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      const { message } = await call("register_callback", { ...REGISTRATION, events: ["task_failed"] });
      expect(message).toBe(
        "✅ Callback registered, but task demo_task_123 has already ended with task_completed, which this callback did not select: nothing will be sent.",
      );
    });

    it("says so when the existing callback is no longer active", async () => {
      await call("register_callback", REGISTRATION);
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await attempt(served, { statusCode: 410, error: "http_4xx", responseExcerpt: null }, GONE);
      const answer = await call("register_callback", REGISTRATION);
      expect(answer).toMatchObject({
        status: "registered",
        message: expect.stringContaining("is disabled because its receiver answered 410 Gone: nothing"),
      });
    });
  });

  describe("start_task_with_callbacks with callbacks", () => {
    const { task_id: _task, ...callback } = REGISTRATION;

    it("registers them with the start, and the same call gives the same answer", async () => {
      const given = { ...START, callbacks: [callback, { ...callback, client_id: "inspector_c", secret: A_SECRET }] };
      const first = await call("start_task_with_callbacks", given);
      expect(first).toMatchObject({
        status: "started",
        registered_callbacks: 2,
        callbacks: [
          { ...callback, signing_secret: expect.stringMatching(/^whsec_/) },
          { ...callback, client_id: "inspector_c", signing_secret: A_SECRET },
        ],
      });
      const again = await call("start_task_with_callbacks", given);
      expect(again).toMatchObject({ status: "pending", registered_callbacks: 2, callbacks: first["callbacks"] });
    });

    it("stores nothing when one of them is refused, and says which", async () => {
      for (const [bad, said] of [
        [{ ...callback, callback_url: "http://10.0.0.1/" }, "callbacks[1]: callback_url points at"],
        [{ ...callback, events: ["task_failed"] }, "callbacks[1]: This callback is already registered"],
        [{ callback_url: URL_B }, "callbacks[1].client_id is missing"],
      ] as const) {
        const given = { ...START, callbacks: [callback, bad] };
        const { error } = await client.callTool("start_task_with_callbacks", given);
        expect(error).toMatchObject({ message: expect.stringContaining(said) });
      }
      const { error } = await client.callTool("get_task_result", { task_id: START.task_id });
      expect(error).toMatchObject({ code: "not_found" });
      expect(await call("get_registered_callbacks", { task_id: START.task_id })).toMatchObject({ callback_count: 0 });
    });
  });

  describe("start_task_with_callbacks", () => {
    it("answers as the contract says, keys in order", async () => {
      await call("register_callback", REGISTRATION);
      const answer = await call("start_task_with_callbacks", START);
      expect(JSON.stringify(answer)).toBe(
        JSON.stringify({
          status: "started",
          ...START,
          message: "🚀 Task started! Will notify 1 registered callbacks when complete.",
          registered_callbacks: 1,
          processing_time: "~10 seconds",
          timestamp: NOW,
        }),
      );
    });

    it("gives a repeated start the task's own status", async () => {
      await call("start_task_with_callbacks", START);
      expect(await call("start_task_with_callbacks", START)).toMatchObject({ status: "pending" });
      await served.runTask();
      expect(await call("start_task_with_callbacks", START)).toMatchObject({
        status: "running",
        message: "ℹ️ Task demo_task_123 was already started and runs only once; its status is running.",
      });
    });

    it("accepts any JSON object as input, whatever the order of its keys", async () => {
      const input = { b: [1, { c: null }], a: "ä" };
      await call("start_task_with_callbacks", { ...START, input });
      const repeated = { ...START, task_type: "demo", input: { a: "ä", b: [1, { c: null }] } };
      expect(await call("start_task_with_callbacks", repeated)).toMatchObject({ status: "pending" });
      expect(await served.store.findTask("local", "demo_task_123")).toMatchObject({
        input: JSON.stringify({ a: "ä", b: input.b }),
      });
    });

    it.each([
      ["quick", "~0.05 seconds"],
      ["open-ended", "unknown"],
    ])("says how long a task of type %s takes: %s", async (task_type, processing_time) => {
      expect(await call("start_task_with_callbacks", { ...START, task_type })).toMatchObject({ processing_time });
    });
  });
});
