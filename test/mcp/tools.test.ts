import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/domain/json.ts";
import { A_SECRET, FAILED_503, T0 } from "../support/builders.ts";
import { ERAS } from "./clients.ts";
import type { TestClient } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";

const NOW = new Date(T0).toISOString();
const URL_B = "http://localhost:8011/webhook/inspector_b";
const REGISTRATION = { task_id: "demo_task_123", client_id: "inspector_b", callback_url: URL_B };
const START = { task_id: "demo_task_123", client_id: "inspector_a" };
const COMPLETED = { status: "completed", result: { pages: [1, null, "three"] } } as const;

describe.each(ERAS)("the tools, asked by a client of $era", ({ connect }) => {
  let served: ServedMcp;
  let client: TestClient;

  beforeEach(async () => {
    served = await serveMcp();
    client = await connect(served.url);
    // A client that has the outputSchema holds every answer against it.
    await client.listTools();
  });

  /** The answer, in the one shape that is promised to be given twice: as structuredContent and as text. */
  async function call(name: string, given: Record<string, unknown>): Promise<Record<string, unknown>> {
    const { isError, structured, text } = await client.callTool(name, given);
    expect({ isError, answer: JSON.parse(text) }).toEqual({ isError: false, answer: structured });
    return structured ?? {};
  }

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

    it("gives the same answer when the call is repeated, and counts the next one", async () => {
      const first = await call("register_callback", REGISTRATION);
      expect(await call("register_callback", REGISTRATION)).toEqual(first);
      const other = await call("register_callback", { ...REGISTRATION, client_id: "inspector_c" });
      expect(other).toMatchObject({ status: "registered", registered_callbacks: 2 });
    });

    it("keeps the secret and the events it is given", async () => {
      const chosen = { ...REGISTRATION, secret: A_SECRET, events: ["task_failed"] };
      expect(await call("register_callback", chosen)).toMatchObject({ signing_secret: A_SECRET });
      const repeated = await client.callTool("register_callback", REGISTRATION);
      expect(JSON.parse(repeated.text)).toMatchObject({
        error: { code: "conflict", message: expect.stringContaining("events") },
      });
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

    it("says so when the callback that is there already is not active any more", async () => {
      await call("register_callback", REGISTRATION);
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await attempt(served, { statusCode: 410, error: "http_4xx", responseExcerpt: null }, gone);
      const answer = await call("register_callback", REGISTRATION);
      expect(answer).toMatchObject({
        status: "registered",
        message: expect.stringContaining("is disabled, so nothing more"),
      });
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

    it("takes any JSON object as input, whatever the order of its keys", async () => {
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

    it("tells not to poll while the task waits or runs, with the result null", async () => {
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
      "gives a result of any JSON type back as it was (%#)",
      async (result) => {
        await call("start_task_with_callbacks", START);
        await served.runTask({ status: "completed", result });
        expect(await call("get_task_result", { task_id: "demo_task_123" })).toMatchObject({ result });
      },
    );
  });

  describe("get_registered_callbacks", () => {
    it("answers an unknown task with no callbacks", async () => {
      const answer = await call("get_registered_callbacks", { task_id: "nobody's" });
      expect(answer).toEqual({ task_id: "nobody's", callback_count: 0, timestamp: NOW, callbacks: [] });
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

    it("has null where there is nothing to tell", async () => {
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

type RecordAttempt = Parameters<ServedMcp["store"]["recordAttempt"]>[0];
const gone = { status: "exhausted", disablesCallback: true } as const;

/** Lets the dispatcher's part happen: one attempt of the one due delivery. */
async function attempt(
  { store }: ServedMcp,
  outcome: RecordAttempt["outcome"],
  step: RecordAttempt["step"],
): Promise<void> {
  const [claimed] = await store.claimDueDeliveries({ now: T0, limit: 1, perOrigin: 1, inFlight: new Map() });
  if (claimed === undefined) throw new Error("No delivery is due");
  const { deliveryId, claim } = claimed;
  await store.recordAttempt({ deliveryId, claim, startedAt: T0, durationMs: 12, outcome, step });
}

const history = z.object({ callbacks: z.array(z.object({ deliveries: z.array(z.record(z.string(), z.unknown())) })) });

function deliveriesOf(answer: Record<string, unknown>): Record<string, unknown>[] {
  return history.parse(answer).callbacks.flatMap(({ deliveries }) => deliveries);
}

function nested(levels: number): Json {
  return levels === 0 ? [] : [nested(levels - 1)];
}
