import { CloudEvent, HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { A_SECRET, FAILED_503 } from "../support/builders.ts";
import { receiverWith } from "../support/sender.ts";
import { signatureBy } from "../support/signature-by.ts";
import { attempt, COMPLETED, NOW, REGISTRATION, START, startAsking, URL_B } from "./asking.ts";
import type { Asking } from "./asking.ts";
import { VERSIONS } from "./clients.ts";
import type { TestClient } from "./clients.ts";
import type { ServedMcp } from "./serve-mcp.ts";

const EXHAUSTED = { status: "exhausted", disablesCallback: false } as const;
const GONE = { status: "exhausted", disablesCallback: true } as const;
const PARKED = { status: "pending", nextAttemptAt: Date.parse(NOW) + 5000, keepClaim: false } as const;
const AT_ONCE = { forMs: 0, failuresMin: 1 };
/** When the one attempt ends. */
const NOW_ENDED = new Date(Date.parse(NOW) + 12).toISOString();
const ID = /^(cb|dlv|evt)_[0-9a-z]{26}$/;

const history = z.object({
  callback_count: z.number(),
  next_cursor: z.string().optional(),
  callbacks: z.array(
    z.looseObject({
      client_id: z.string(),
      status: z.string(),
      deliveries: z.array(z.looseObject({ delivery_id: z.string(), status: z.string() })),
    }),
  ),
});

describe.each(VERSIONS)("the tools that repair, called by a client of $version", ({ connect }) => {
  let served: ServedMcp;
  let client: TestClient;
  let call: Asking["call"];

  beforeEach(async () => {
    ({ served, client, call } = await startAsking(connect));
  });

  async function fail(name: string, given: Record<string, unknown>) {
    const { error } = await client.callTool(name, given);
    if (error === undefined) throw new Error(`${name} has no error`);
    return error;
  }
  const historyOf = async (given: object = {}) =>
    history.parse(await call("get_registered_callbacks", { task_id: REGISTRATION.task_id, ...given }));

  /** One callback with one delivery in this state. */
  async function ended(step: Parameters<typeof attempt>[2], disablePolicy: Parameters<typeof attempt>[3] = null) {
    const { callback_id } = await call("register_callback", REGISTRATION);
    await call("start_task_with_callbacks", START);
    await served.runTask(COMPLETED);
    await attempt(served, FAILED_503, step, disablePolicy);
    const [callback] = (await historyOf()).callbacks;
    return { callback_id: String(callback_id), delivery_id: callback!.deliveries[0]!.delivery_id };
  }

  describe("unregister_callback", () => {
    it("answers with the removed callback, keys in order, by id or by names, once or twice", async () => {
      const { callback_id } = await call("register_callback", REGISTRATION);
      const answer = await call("unregister_callback", { callback_id });
      expect(JSON.stringify(answer)).toBe(
        JSON.stringify({
          status: "removed",
          callback_id,
          ...REGISTRATION,
          cancelled_deliveries: 0,
          message: `🗑️ Callback removed: nothing more is sent to ${URL_B}. Its history stays.`,
          timestamp: NOW,
        }),
      );
      expect(await call("unregister_callback", REGISTRATION)).toEqual(answer);
      expect(served.emitted.filter(({ kind }) => kind === "callback.removed")).toHaveLength(1);
      expect((await historyOf()).callbacks).toMatchObject([{ status: "removed" }]);
    });

    it("cancels waiting deliveries; registered again it is active, with a new secret, and the POST is due again", async () => {
      await ended({ status: "pending", nextAttemptAt: Date.parse(NOW) + 5000, keepClaim: false });
      const first = await call("register_callback", REGISTRATION);
      expect(await call("unregister_callback", REGISTRATION)).toMatchObject({ cancelled_deliveries: 1 });
      const second = await call("register_callback", REGISTRATION);
      expect(second).toMatchObject({ callback_id: first["callback_id"], registered_callbacks: 1 });
      expect(second["message"]).toMatch(/already ended .* is sent now/);
      expect(second["signing_secret"]).not.toBe(first["signing_secret"]);
      expect((await historyOf()).callbacks).toMatchObject([
        { status: "active", deliveries: [{ status: "pending", next_attempt_at: NOW, attempt_count: 1 }] },
      ]);
    });

    it.each([
      [{}, "invalid"],
      [{ callback_id: "cb_1", task_id: "t" }, "invalid"],
      [{ task_id: "t", client_id: "c" }, "invalid"],
      [{ callback_id: "cb_1" }, "not_found"],
      [{ ...REGISTRATION, client_id: "unknown" }, "not_found"],
    ])("%j is %s", async (given, code) => {
      expect(await fail("unregister_callback", given)).toMatchObject({ code });
    });
  });

  describe("redeliver", () => {
    it("sends one again, keys in order", async () => {
      const { delivery_id } = await ended(EXHAUSTED);
      expect(JSON.stringify(await call("redeliver", { delivery_id }))).toBe(
        JSON.stringify({
          redelivered: 1,
          delivery_ids: [delivery_id],
          passed_over: 0,
          message: "🔁 1 deliveries are sent again, now; do not poll.",
          timestamp: NOW,
        }),
      );
      expect(await call("redeliver", { delivery_id })).toMatchObject({ redelivered: 1 });
      await attempt(served, { statusCode: 200, error: null, responseExcerpt: null }, { status: "delivered" });
      await expect(attempt(served, FAILED_503, EXHAUSTED)).rejects.toThrow("No delivery is due");
      expect((await historyOf()).callbacks).toMatchObject([
        { deliveries: [{ delivery_id, status: "delivered", attempt_count: 2 }] },
      ]);
    });

    it("sends all that match of a task or a callback again, none of them twice", async () => {
      const { callback_id, delivery_id } = await ended(EXHAUSTED);
      const { task_id } = REGISTRATION;
      expect(await call("redeliver", { task_id, status: "delivered" })).toMatchObject({ redelivered: 0 });
      const later = new Date(Date.parse(NOW) + 1).toISOString();
      expect(await call("redeliver", { callback_id, since: later })).toMatchObject({ redelivered: 0 });
      expect(await call("redeliver", { callback_id, since: NOW })).toMatchObject({ delivery_ids: [delivery_id] });
      expect(await call("redeliver", { task_id })).toMatchObject({
        redelivered: 0,
        delivery_ids: [],
        message: "ℹ️ No delivery to send again.",
      });
      expect(await call("redeliver", { task_id, status: "pending" })).toMatchObject({ redelivered: 1 });
    });

    it("refuses a delivery of a disabled or removed callback, and says what to do", async () => {
      const { callback_id, delivery_id } = await ended(GONE);
      const conflict = (message: string) => ({ code: "conflict", message: expect.stringContaining(message) });
      expect(await fail("redeliver", { delivery_id })).toEqual(conflict("is disabled"));
      expect(await call("redeliver", { task_id: REGISTRATION.task_id })).toMatchObject({
        redelivered: 0,
        passed_over: 1,
        message: expect.stringContaining("1 were passed over"),
      });
      await call("unregister_callback", { callback_id });
      expect(await fail("redeliver", { callback_id })).toEqual(conflict("was removed"));
      await call("register_callback", REGISTRATION);
      expect(await call("redeliver", { delivery_id })).toMatchObject({ redelivered: 1 });
    });

    it.each([
      [{}, "invalid"],
      [{ delivery_id: "dlv_1", task_id: "t" }, "invalid"],
      [{ delivery_id: "dlv_1", status: "exhausted" }, "invalid"],
      [{ task_id: "t", status: "lost" }, "invalid"],
      [{ task_id: "t", since: "yesterday" }, "invalid"],
      [{ task_id: "t", since: "2026-11-23T05:00:00" }, "invalid"],
      [{ task_id: "t", since: "2026-13-45T05:00:00Z" }, "invalid"],
      [{ task_id: "t", since: "2026-11-31T05:00:00Z" }, "invalid"],
      [{ task_id: "t", cursor: "made up" }, "invalid"],
      [{ delivery_id: "dlv_1" }, "not_found"],
      [{ callback_id: "cb_1" }, "not_found"],
      [{ task_id: "unknown-task" }, "not_found"],
    ])("%j is %s", async (given, code) => {
      expect(await fail("redeliver", given)).toMatchObject({ code });
    });
  });

  describe("send_test_event", () => {
    it("makes one signed POST of type test and answers with its outcome", async () => {
      const receiver = await receiverWith();
      const callback_url = `${receiver.url}/hook?token=t`;
      const registration = { ...REGISTRATION, callback_url, secret: A_SECRET };
      const { callback_id } = await call("register_callback", registration);
      const answer = await call("send_test_event", { callback_id });
      expect(JSON.stringify(answer)).toBe(
        JSON.stringify({
          status: "delivered",
          callback_id,
          callback_url,
          event_id: answer["event_id"],
          status_code: 204,
          error: null,
          duration_ms: answer["duration_ms"],
          message: `✅ ${callback_url} accepted the test event.`,
          timestamp: NOW,
        }),
      );
      const [{ headers, body }] = receiver.requests as [(typeof receiver.requests)[0]];
      expect(answer["event_id"]).toMatch(ID);
      expect(headers["webhook-id"]).toBe(answer["event_id"]);
      expect(JSON.parse(body)).toEqual({
        type: "test",
        timestamp: NOW,
        data: {
          callback_id,
          task_id: REGISTRATION.task_id,
          client_id: "inspector_b",
          message: expect.stringContaining("test event"),
        },
        audience: callback_url,
        principal: "local",
      });
      // The library reads the real clock, the signature has the time of the test's clock.
      const timestamp = Number(headers["webhook-timestamp"]);
      expect(headers["webhook-signature"]).toBe(
        new Webhook(A_SECRET).sign(String(answer["event_id"]), new Date(timestamp * 1000), body),
      );
      expect((await historyOf()).callbacks).toMatchObject([{ deliveries: [] }]);
      expect(await served.store.counts()).toMatchObject({ pendingCallbacks: 1 });
    });

    it.each(["send_test_event", "diagnose_callback"])(
      "comes in the callback's own format, also by %s",
      async (tool) => {
        const receiver = await receiverWith();
        const registration = { ...REGISTRATION, callback_url: receiver.url, body_format: "cloudevents" };
        const { callback_id } = await call("register_callback", registration);
        await call(tool, { callback_id });
        const [{ headers, body }] = receiver.requests as [(typeof receiver.requests)[0]];
        expect(headers["content-type"]).toBe("application/cloudevents+json");
        const read = HTTP.toEvent({ headers: { "content-type": headers["content-type"] }, body });
        expect(read instanceof CloudEvent && read.validate()).toBe(true);
        expect(read).toMatchObject({
          id: headers["webhook-id"],
          type: "test",
          data: { callback_id, task_id: "demo_task_123" },
        });
      },
    );

    it("answers with the category of a failure after one attempt, and never with the receiver's text", async () => {
      const receiver = await receiverWith((_, response) => response.writeHead(500).end("secret of the house"));
      const { callback_id } = await call("register_callback", { ...REGISTRATION, callback_url: receiver.url });
      const answer = await call("send_test_event", { callback_id });
      expect(answer).toMatchObject({ status: "failed", status_code: 500, error: "http_5xx" });
      expect(JSON.stringify(answer)).not.toContain("secret of the house");
      expect(receiver.requests).toHaveLength(1);
    });

    it("tries a disabled callback, refuses a removed one and another principal's", async () => {
      const { callback_id } = await ended(GONE);
      expect(await call("send_test_event", { callback_id })).toMatchObject({ status: "failed", status_code: null });
      await call("unregister_callback", { callback_id });
      expect(await fail("send_test_event", { callback_id })).toMatchObject({ code: "conflict" });
      expect(await fail("diagnose_callback", { callback_id })).toMatchObject({ code: "conflict" });
      expect(await fail("send_test_event", { callback_id: "cb_1" })).toMatchObject({ code: "not_found" });
    });
  });

  describe("enable_callback", () => {
    it("makes a disabled callback active again, once or twice, keys in order; then it can be sent again", async () => {
      const { callback_id, delivery_id } = await ended(GONE);
      const answer = await call("enable_callback", { callback_id });
      expect(JSON.stringify(answer)).toBe(
        JSON.stringify({
          status: "active",
          callback_id,
          ...REGISTRATION,
          resumed_deliveries: 0,
          message: `🔌 Callback active: POSTs go to ${URL_B} again. It was disabled because its receiver answered 410 Gone. Use redeliver for deliveries that were not sent.`,
          timestamp: NOW,
        }),
      );
      const message = `🔌 Callback was already active: POSTs go to ${URL_B}.`;
      expect(await call("enable_callback", { callback_id })).toEqual({ ...answer, message });
      expect(served.emitted.filter(({ kind }) => kind === "callback.enabled")).toHaveLength(1);
      expect(await call("redeliver", { delivery_id })).toMatchObject({ redelivered: 1 });
    });

    it("also happens by a test event that succeeds", async () => {
      const receiver = await receiverWith();
      const { callback_id } = await call("register_callback", { ...REGISTRATION, callback_url: receiver.url });
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await attempt(served, FAILED_503, GONE);
      expect((await historyOf()).callbacks).toMatchObject([{ status: "disabled" }]);
      expect(await call("send_test_event", { callback_id })).toMatchObject({
        status: "delivered",
        message: expect.stringContaining("active again"),
      });
      expect((await historyOf()).callbacks).toMatchObject([{ status: "active" }]);
    });

    it("says why a failing callback was disabled, and sends its waiting deliveries", async () => {
      const { callback_id, delivery_id } = await ended(PARKED, AT_ONCE);
      expect((await historyOf()).callbacks).toMatchObject([
        {
          status: "disabled",
          disabled_reason: "failing",
          disabled_at: NOW_ENDED,
          failing_since: NOW_ENDED,
          last_error: "http_5xx",
          deliveries: [{ status: "pending", next_attempt_at: null, attempt_count: 1 }],
        },
      ]);
      expect(await fail("redeliver", { delivery_id })).toEqual({
        code: "conflict",
        message: expect.stringContaining("its attempts kept failing"),
      });
      expect((await call("register_callback", REGISTRATION))["message"]).toContain(
        "is disabled because its attempts kept failing",
      );
      expect(await call("enable_callback", { callback_id })).toMatchObject({
        resumed_deliveries: 1,
        message: `🔌 Callback active: POSTs go to ${URL_B} again. It was disabled because its attempts kept failing. 1 waiting deliveries are sent now.`,
      });
      expect(served.emitted).toContainEqual(expect.objectContaining({ kind: "callback.enabled", resumedCount: 1 }));
      await attempt(served, { statusCode: 200, error: null, responseExcerpt: null }, { status: "delivered" });
      const [callback] = (await historyOf()).callbacks;
      expect(callback).toMatchObject({ status: "active", deliveries: [{ status: "delivered", attempt_count: 2 }] });
      for (const key of ["disabled_reason", "disabled_at", "failing_since", "last_error", "last_delivery_at"])
        expect(callback).not.toHaveProperty(key);
    });

    it("shows since when an active callback fails, with which error, and its last success", async () => {
      const { delivery_id } = await ended({ status: "delivered" });
      await call("redeliver", { delivery_id });
      await attempt(served, { statusCode: 200, error: null, responseExcerpt: null }, { status: "delivered" });
      await call("redeliver", { delivery_id });
      await attempt(served, FAILED_503, PARKED);
      const [callback] = (await historyOf()).callbacks;
      expect(callback).toMatchObject({
        status: "active",
        failing_since: NOW_ENDED,
        last_error: "http_5xx",
        last_delivery_at: NOW_ENDED,
      });
      expect(callback).not.toHaveProperty("disabled_reason");
    });

    it("also happens to a failing callback by a test event, which says how many deliveries are sent now", async () => {
      const receiver = await receiverWith();
      const { callback_id } = await call("register_callback", { ...REGISTRATION, callback_url: receiver.url });
      await call("start_task_with_callbacks", START);
      await served.runTask(COMPLETED);
      await attempt(served, FAILED_503, PARKED, AT_ONCE);
      expect(await call("send_test_event", { callback_id })).toMatchObject({
        status: "delivered",
        resumed_deliveries: 1,
        message: expect.stringContaining("active again; 1 waiting deliveries are sent now"),
      });
      expect(await call("send_test_event", { callback_id })).not.toHaveProperty("resumed_deliveries");
      expect((await historyOf()).callbacks).toMatchObject([
        { status: "active", deliveries: [{ next_attempt_at: NOW }] },
      ]);
    });

    it("does not activate a removed callback, and says what does", async () => {
      const { callback_id } = await call("register_callback", REGISTRATION);
      await call("unregister_callback", { callback_id });
      expect(await fail("enable_callback", { callback_id })).toMatchObject({
        code: "conflict",
        message: expect.stringContaining("register the same callback again"),
      });
    });
  });

  describe("diagnose_callback", () => {
    it("answers for each step of a callback that works", async () => {
      const receiver = await receiverWith((request, response) => {
        const isOurs = request.headers["webhook-signature"] === signatureBy(A_SECRET, request);
        response.writeHead(isOurs ? 204 : 401).end();
      });
      const registration = { ...REGISTRATION, callback_url: receiver.url, secret: A_SECRET };
      const { callback_id } = await call("register_callback", registration);
      const answer = await call("diagnose_callback", { callback_id });
      expect(answer).toMatchObject({
        status: "ok",
        callback_id,
        callback_url: receiver.url,
        callback_status: "active",
        steps: [
          { step: "guard", status: "ok", error: null },
          { step: "dns", status: "skipped", message: "An IP address needs no DNS." },
          { step: "connect", status: "ok" },
          { step: "tls", status: "skipped", message: expect.stringContaining("http://") },
          { step: "post", status: "ok", status_code: 204 },
          { step: "signature", status: "ok", status_code: 401, message: expect.stringContaining("refuses") },
        ],
        message: `✅ ${receiver.url} is reachable and takes POSTs.`,
        timestamp: NOW,
      });
    });

    it("warns of a receiver that accepts a wrong signature", async () => {
      const receiver = await receiverWith();
      const { callback_id } = await call("register_callback", { ...REGISTRATION, callback_url: receiver.url });
      const answer = await call("diagnose_callback", { callback_id });
      expect(answer).toMatchObject({
        status: "ok",
        message: expect.stringMatching(/^✅ .* takes POSTs\. ⚠️ signature: /),
      });
      expect((answer["steps"] as object[]).at(-1)).toMatchObject({ status: "warning", error: null, status_code: 204 });
      const [genuine, badSignature] = receiver.requests;
      expect(JSON.parse(badSignature!.body)).toEqual(JSON.parse(genuine!.body));
      expect(badSignature!.headers["webhook-id"]).not.toBe(genuine!.headers["webhook-id"]);
      expect(receiver.requests).toHaveLength(2);
    });

    it("tries a URL before it is registered, and accepts that the receiver refuses its signature", async () => {
      const receiver = await receiverWith((_, response) => response.writeHead(401).end("who are you"));
      const answer = await call("diagnose_callback", { callback_url: receiver.url });
      expect(answer).toMatchObject({
        status: "failed",
        message: expect.stringMatching(/^⚠️ post: .*right before the registration/),
      });
      expect(answer).not.toHaveProperty("callback_id");
      expect(JSON.stringify(answer)).not.toContain("who are you");
      expect(JSON.parse(receiver.requests[0]!.body)).toMatchObject({ type: "test", data: { callback_id: null } });
    });

    it("refuses an address that is not allowed, and sends nothing", async () => {
      expect(await call("diagnose_callback", { callback_url: "http://10.0.0.1/" })).toMatchObject({
        status: "failed",
        steps: [
          { step: "guard", status: "failed", error: "blocked" },
          { status: "skipped", message: "Not tried: fix the step that failed first." },
          { status: "skipped" },
          { status: "skipped" },
          { status: "skipped" },
          { status: "skipped" },
        ],
      });
    });

    it.each([
      [{}, "invalid"],
      [{ callback_id: "cb_1", callback_url: "http://localhost/" }, "invalid"],
      [{ callback_url: "ftp://localhost/" }, "invalid"],
      [{ callback_id: "cb_1" }, "not_found"],
    ])("%j is %s", async (given, code) => {
      expect(await fail("diagnose_callback", given)).toMatchObject({ code });
    });
  });

  describe("get_registered_callbacks, page by page", () => {
    it("gives a cursor only while there is more, and each callback once", async () => {
      for (const client_id of ["a", "b", "c"]) await call("register_callback", { ...REGISTRATION, client_id });
      const first = await historyOf({ limit: 2 });
      // In the same millisecond it could be on the first page.
      served.clock.advance(1);
      await call("register_callback", { ...REGISTRATION, client_id: "d" });
      const second = await historyOf({ limit: 2, cursor: first.next_cursor });
      expect([first.callbacks.length, second.callbacks.length, second.next_cursor]).toEqual([2, 2, undefined]);
      const clients = [...first.callbacks, ...second.callbacks].map(({ client_id }) => client_id);
      expect(clients.toSorted()).toEqual(["a", "b", "c", "d"]);
      expect(await historyOf({ limit: 4 })).not.toHaveProperty("next_cursor");
    });

    it("has 20 callbacks by default, and counts those of all pages", async () => {
      for (let index = 0; index < 25; index++)
        await call("register_callback", { ...REGISTRATION, client_id: `c${index}` });
      const pageOf = async (given: object) => {
        const { callback_count, callbacks, next_cursor } = await historyOf(given);
        return { callback_count, shown: callbacks.length, next_cursor };
      };
      const first = await pageOf({});
      expect(first).toEqual({ callback_count: 25, shown: 20, next_cursor: expect.any(String) });
      expect(await pageOf({ cursor: first.next_cursor })).toEqual({
        callback_count: 25,
        shown: 5,
        next_cursor: undefined,
      });
      expect(await pageOf({ limit: 1000 })).toEqual({ callback_count: 25, shown: 25, next_cursor: undefined });
      expect(await pageOf({ limit: 1, status: "pending" })).toMatchObject({ callback_count: 0, shown: 0 });
    });

    it("list_tasks has 20 tasks by default", async () => {
      for (let index = 0; index < 21; index++)
        await call("start_task_with_callbacks", { task_id: `t${index}`, client_id: "c" });
      const listed = async (given: object) => await call("list_tasks", { ...given });
      const first = await listed({});
      expect(first["tasks"]).toHaveLength(20);
      expect(await listed({ cursor: first["next_cursor"] })).toMatchObject({ tasks: [{}], next_cursor: null });
      expect((await listed({ limit: 1000 }))["tasks"]).toHaveLength(21);
    });

    it("filters by the deliveries' status and time", async () => {
      await ended(EXHAUSTED);
      expect((await historyOf({ status: "exhausted", since: NOW })).callbacks).toHaveLength(1);
      expect((await historyOf({ status: "delivered" })).callbacks).toEqual([]);
      expect((await historyOf({ since: "2027-01-01T00:00:00+01:00" })).callbacks).toEqual([]);
    });

    it("names the rule that a number breaks, once", async () => {
      const rule = (limit: number) => fail("get_registered_callbacks", { task_id: "t", limit });
      expect((await rule(1.5)).message).toBe("limit must be a whole number between 1 and 1000; it is 1.5.");
      expect((await rule(1e308)).message).toBe("limit must be a whole number between 1 and 1000; it is 1e+308.");
    });

    it.each(["z", "", "0", "WzE3OTU2MzA2MjIyMjYsImNiXzEiXQ"])(
      "list_tasks accepts only its own cursors: %j",
      async (cursor) => {
        expect(await fail("list_tasks", { cursor })).toEqual({
          code: "invalid",
          message:
            "cursor is not one that this tool issued: repeat a next_cursor of its last answer unchanged, or leave it out to begin again.",
        });
      },
    );

    it.each([{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { limit: "two" }, { cursor: "WzFd" }, { status: "lost" }])(
      "%j is invalid",
      async (given) => {
        const error = await fail("get_registered_callbacks", { task_id: "t", ...given });
        expect(error.code).toBe("invalid");
      },
    );
  });
});

describe.each(VERSIONS)("another principal's callback, asked for by a client of $version", ({ connect }) => {
  it("is answered exactly like one that does not exist", async () => {
    const { serveMcp } = await import("./serve-mcp.ts");
    const tokens = [
      { name: "ann", token: "ann-token-1" },
      { name: "bob", token: "bob-token-1" },
    ];
    const served = await serveMcp({ tokens });
    const ann = await connect(served.url, { token: "ann-token-1" });
    const bob = await connect(served.url, { token: "bob-token-1" });
    const registered = z
      .object({ callback_id: z.string() })
      .parse((await ann.callTool("register_callback", REGISTRATION)).structured);
    const { callback_id } = registered;
    const unknown = `cb_${"0".repeat(26)}`;
    for (const tool of [
      "unregister_callback",
      "enable_callback",
      "redeliver",
      "send_test_event",
      "diagnose_callback",
    ]) {
      const [theirs, missing] = await Promise.all(
        [callback_id, unknown].map((id) => bob.callTool(tool, { callback_id: id })),
      );
      expect(theirs!.isError).toBe(true);
      expect(theirs!.text.replace(callback_id, unknown)).toBe(missing!.text);
    }
    const byNames = await bob.callTool("unregister_callback", REGISTRATION);
    expect(byNames.error?.code).toBe("not_found");
    const task = await bob.callTool("redeliver", { task_id: REGISTRATION.task_id });
    expect(task.error?.code).toBe("not_found");
  });
});
