import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/domain/json.ts";
import { A_SECRET, aRegistration, aStart, FAILED_503, T0 } from "../support/builders.ts";
import { attempt, COMPLETED, NOW, REGISTRATION, START, startAsking, URL_B } from "./asking.ts";
import type { Asking } from "./asking.ts";
import { VERSIONS } from "./clients.ts";
import type { ServedMcp } from "./serve-mcp.ts";

describe.each(VERSIONS)("the tools that read, called by a client of $version", ({ connect }) => {
  let served: ServedMcp;
  let call: Asking["call"];

  beforeEach(async () => {
    ({ served, call } = await startAsking(connect));
  });

  describe("get_task_result", () => {
    it("answers as the contract says, keys in order", async () => {
      await call("start_task_with_callbacks", START);
      await served.runTask({ status: "completed", result: "Task demo_task_123 completed successfully" });
      expect(JSON.stringify(await call("get_task_result", { task_id: "demo_task_123" }))).toBe(
        JSON.stringify({
          task_id: "demo_task_123",
          status: "completed",
          result: "Task demo_task_123 completed successfully",
          message: "✅ Task completed!",
          timestamp: NOW,
        }),
      );
    });

    it("says not to poll while the task waits or runs, with the result null", async () => {
      await call("start_task_with_callbacks", START);
      const waiting = { status: "pending", result: null, message: expect.stringContaining("do not poll") };
      expect(await call("get_task_result", { task_id: "demo_task_123" })).toMatchObject(waiting);
      await served.runTask();
      const running = { ...waiting, status: "running" };
      expect(await call("get_task_result", { task_id: "demo_task_123" })).toMatchObject(running);
    });

    it.each([
      ["failed", "❌ Task failed"],
      ["cancelled", "🚫 Task cancelled"],
    ] as const)("gives a task that %s its error", async (status, message) => {
      await call("start_task_with_callbacks", START);
      await served.runTask({ status, error: "the printer is on fire" });
      const answer = await call("get_task_result", { task_id: "demo_task_123" });
      expect(answer).toMatchObject({ status, result: null, error: "the printer is on fire", message });
    });

    it.each<[Json]>([[{ pages: [1, null, "three"] }], [[1, [2]]], [0], [false], [""], [null], [nested(1000)]])(
      "returns a result of any JSON type unchanged (%#)",
      async (result) => {
        await call("start_task_with_callbacks", START);
        await served.runTask({ status: "completed", result });
        expect(await call("get_task_result", { task_id: "demo_task_123" })).toMatchObject({ result });
      },
    );
  });

  describe("list_tasks", () => {
    it("ends a page at 256 KiB of errors, and skips no task", async () => {
      const error = "x".repeat(4096);
      const ids = Array.from({ length: 300 }, (_, index) => `t${index}`);
      await Promise.all(ids.map((taskId) => served.store.startTask(aStart({ taskId }))));
      const claimed = await served.store.claimRunnableTasks({ limit: 300, now: T0 });
      const outcome = { status: "failed", error } as const;
      await Promise.all(claimed.map(({ id }) => served.store.finishTask({ id, outcome, now: T0 })));
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const answer = await call("list_tasks", { limit: 1000, cursor });
        expect(JSON.stringify(answer).length).toBeLessThan(300_000);
        const page = taskPage.parse(answer);
        seen.push(...page.tasks.map(({ task_id }) => task_id));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen.toSorted()).toEqual(ids.toSorted());
    });
  });

  describe("get_registered_callbacks", () => {
    it("answers an unknown task with no callbacks", async () => {
      const answer = await call("get_registered_callbacks", { task_id: "unknown-task" });
      expect(answer).toEqual({ task_id: "unknown-task", callback_count: 0, timestamp: NOW, callbacks: [] });
    });

    it("answers as the contract says, with every attempt and no secret", async () => {
      const { callback_id } = await call("register_callback", { ...REGISTRATION, secret: A_SECRET });
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await attempt(served, FAILED_503, { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false });
      const answer = await call("get_registered_callbacks", { task_id: "demo_task_123" });
      const [delivery] = deliveriesOf(answer);
      expect(JSON.stringify(answer)).toBe(
        JSON.stringify({
          task_id: "demo_task_123",
          callback_count: 1,
          timestamp: NOW,
          callbacks: [
            {
              callback_id,
              client_id: "inspector_b",
              callback_url: URL_B,
              registered_at: NOW,
              status: "active",
              failing_since: "2026-11-23T05:00:00.012Z",
              last_error: "http_5xx",
              deliveries: [
                {
                  delivery_id: delivery?.["delivery_id"],
                  event_id: delivery?.["event_id"],
                  event: "task_completed",
                  status: "pending",
                  attempt_count: 1,
                  next_attempt_at: new Date(T0 + 5000).toISOString(),
                  attempts: [{ number: 1, started_at: NOW, duration_ms: 12, status_code: 503, error: "http_5xx" }],
                },
              ],
            },
          ],
        }),
      );
    });

    it("shows the newest 20 attempts of a delivery that has had more", async () => {
      await call("register_callback", REGISTRATION);
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      for (let made = 0; made < 23; made++)
        await attempt(served, FAILED_503, { status: "pending", nextAttemptAt: T0, keepClaim: false });
      const [delivery] = deliveriesOf(await call("get_registered_callbacks", { task_id: "demo_task_123" }));
      expect(delivery).toMatchObject({ attempt_count: 23, status: "pending" });
      const numbers = z.array(z.object({ number: z.number() })).parse(delivery?.["attempts"]);
      expect(numbers.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, index) => index + 4));
    });

    it("ends a page at 256 KiB, and skips no callback", async () => {
      const url = `http://localhost:8011/${"x".repeat(2000)}`;
      const clientIds = Array.from({ length: 600 }, (_, index) => `c${index}`);
      await Promise.all(clientIds.map((clientId) => served.store.registerCallback(aRegistration({ clientId, url }))));
      const seen: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const answer = await call("get_registered_callbacks", { task_id: "task-1", limit: 1000, cursor });
        expect(JSON.stringify(answer).length).toBeLessThan(300_000);
        const page = clientPage.parse(answer);
        expect(page.callback_count).toBe(600);
        seen.push(...page.callbacks.map(({ client_id }) => client_id));
        cursor = page.next_cursor;
        pages++;
      } while (cursor !== undefined);
      expect(pages).toBe(7);
      expect(seen.toSorted()).toEqual(clientIds.toSorted());
    });

    it("says why a delivery without attempts ended", async () => {
      await call("register_callback", { ...REGISTRATION, not_after: new Date(T0 + 1).toISOString() });
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await served.store.expireDeliveries({ now: T0 + 1, limit: 1 });
      expect(await call("get_registered_callbacks", { task_id: "demo_task_123" })).toMatchObject({
        callbacks: [
          {
            not_after: new Date(T0 + 1).toISOString(),
            deliveries: [{ status: "exhausted", attempt_count: 0, next_attempt_at: null, reason: "not_after" }],
          },
        ],
      });
    });

    it("has null where there is no value", async () => {
      await call("register_callback", REGISTRATION);
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await attempt(
        served,
        { statusCode: null, error: "timeout", responseExcerpt: null },
        { status: "pending", nextAttemptAt: T0, keepClaim: false },
      );
      await attempt(served, { statusCode: 200, error: null, responseExcerpt: null }, { status: "delivered" });
      const [delivery] = deliveriesOf(await call("get_registered_callbacks", { task_id: "demo_task_123" }));
      expect(delivery).toMatchObject({
        status: "delivered",
        next_attempt_at: null,
        attempts: [
          { number: 1, status_code: null, error: "timeout" },
          { number: 2, status_code: 200, error: null },
        ],
      });
    });
  });
});

const history = z.object({ callbacks: z.array(z.object({ deliveries: z.array(z.record(z.string(), z.unknown())) })) });

const taskPage = z.object({
  tasks: z.array(z.looseObject({ task_id: z.string() })),
  next_cursor: z.string().nullable(),
});

const clientPage = z.object({
  callback_count: z.number(),
  callbacks: z.array(z.object({ client_id: z.string() })),
  next_cursor: z.string().optional(),
});

function deliveriesOf(answer: Record<string, unknown>): Record<string, unknown>[] {
  return history.parse(answer).callbacks.flatMap(({ deliveries }) => deliveries);
}

function nested(levels: number): Json {
  return levels === 0 ? [] : [nested(levels - 1)];
}
