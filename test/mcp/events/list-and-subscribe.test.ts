import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createEventCursors } from "../../../src/domain/event-cursor.ts";
import { subscriptionIdOf } from "../../../src/domain/ids.ts";
import { canonicalJson } from "../../../src/domain/json.ts";
import { A_SECRET, HOUR_MS, T0 } from "../../support/builders.ts";
import { rpc, WIRE_VERSIONS } from "../wire.ts";
import { aSubscribe, serveEvents, startEventsReceiver } from "./serve-events.ts";
import type { EventsReceiver, ServedEvents, SubscribeChanges } from "./serve-events.ts";

const TOKENS = [
  { name: "ann", token: "token-of-ann" },
  { name: "bob", token: "token-of-bob" },
];
const ANOTHER_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const inputSchema = z.strictObject({
  type: z.literal("object"),
  additionalProperties: z.literal(false),
  properties: z.strictObject({ task_id: z.looseObject({ type: z.literal("string") }) }),
});
const descriptor = z.strictObject({
  name: z.string().min(1),
  description: z.string().min(1),
  delivery: z.array(z.enum(["poll", "push", "webhook"])).min(1),
  inputSchema,
  payloadSchema: z.looseObject({ type: z.literal("object"), required: z.array(z.string()) }),
});

describe.each(WIRE_VERSIONS)("MCP Events, called by a client of $version:", ({ version, requestOf }) => {
  const at = (ms: number): string => new Date(T0 + ms).toISOString();

  describe("events/list", () => {
    it("shows every event on one page, with both schemas, the same for every client", async () => {
      const { ask } = await serveEvents(requestOf);
      const result = z.strictObject({ events: z.array(descriptor) }).parse(await ask("events/list"));
      expect(result.events.map(({ name }) => name)).toEqual([
        "task_completed",
        "task_failed",
        "task_cancelled",
        "task_finished",
      ]);
      for (const { delivery, payloadSchema } of result.events) {
        expect(delivery).toEqual(["webhook", "poll", "push"]);
        expect(payloadSchema.required).toEqual(["task_id", "status", "finished_at"]);
        expect(payloadSchema).not.toHaveProperty("additionalProperties");
      }
      expect(await ask("events/list", { cursor: null })).toEqual(result);
      expect(await ask("events/list", { cursor: undefined, whatever: 1 })).toEqual(result);
    });

    it.each([
      ["that it never gave out", { cursor: "MQ" }, { field: "cursor", reason: "unknown" }],
      ["that is empty", { cursor: "" }, { field: "cursor", reason: "unknown" }],
      ["that is no text", { cursor: 5 }, { field: "cursor", reason: "wrong_type" }],
    ])("refuses a cursor %s", async (_, params, data) => {
      const { fail } = await serveEvents(requestOf);
      expect(await fail("events/list", params)).toEqual({ code: -32602, message: "InvalidParams", data });
    });
  });

  it("is declared under both keys that clients read, and says that the list does not change", async () => {
    const { port } = await serveEvents(requestOf);
    const clientInfo = { name: "wire", version: "0" };
    const hello =
      version === "2026-07-28"
        ? requestOf("server/discover")
        : requestOf("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    const { result } = await rpc(port, hello);
    expect(result).toMatchObject({
      capabilities: { events: {}, extensions: { "io.modelcontextprotocol/events": { listChanged: false } } },
    });
  });

  describe("events/subscribe", () => {
    let served: ServedEvents;
    let receiver: EventsReceiver;
    let url: string;
    const subscribe = (changes: SubscribeChanges = {}, token = "token-of-ann") =>
      served.ask("events/subscribe", aSubscribe(url, changes), token);
    const refuse = (changes: SubscribeChanges = {}, token = "token-of-ann") =>
      served.fail("events/subscribe", aSubscribe(url, changes), token);
    const live = async (principal = "ann") => {
      const page = { after: null, limit: 100, deliveries: 1, now: served.clock.now() };
      const found = await served.store.listSubscriptions(principal, page);
      return found.filter(({ status }) => status === "active" || status === "suspended");
    };

    beforeEach(async () => {
      served = await serveEvents(requestOf, { tokens: TOKENS, events: { perPrincipalMax: 3 } });
      receiver = await startEventsReceiver();
      url = `${receiver.url}/hook?mcp_event_subscription=5b1c`;
    });

    it("answers with id, refreshBefore, cursor and truncated, and nothing else", async () => {
      const result = await subscribe({ arguments: { task_id: "task-1" } });
      expect(result).toEqual({
        id: expect.stringMatching(/^sub_[0-9a-f]{32}$/),
        refreshBefore: at(HOUR_MS),
        cursor: expect.stringMatching(/./),
        truncated: false,
      });
      expect(await live()).toMatchObject([{ id: result["id"], name: "task_completed", taskId: "task-1", url }]);
    });

    it("answers with the id derived from principal, URL, name and arguments, and ignores an id in the params", async () => {
      const { id } = await subscribe({ arguments: { task_id: "task-1" }, id: "sub_of_mine" });
      const key = { principal: "ann", url, name: "task_completed", arguments: { task_id: "task-1" } };
      expect(id).toBe(subscriptionIdOf(canonicalJson(key)));
    });

    it.each([
      ["null", { arguments: null }],
      ["nothing", { arguments: undefined }],
      ["null by name", { arguments: { task_id: null } }],
    ])("treats arguments that are %s as absent", async (_, changes) => {
      const { id } = await subscribe();
      expect(await subscribe(changes)).toMatchObject({ id, deliveryStatus: { active: true } });
    });

    it("uses webhook when mode is left out, and ignores unknown members", async () => {
      const { id } = await subscribe();
      const changes = { delivery: { mode: undefined, retries: 5 }, priority: "high" };
      expect(await subscribe(changes)).toMatchObject({ id });
    });

    it.each(["yesterday", "", "evc_b25l", createEventCursors("another").of(0)])(
      "treats a cursor of another server (%s) as now, and sets truncated",
      async (cursor) => {
        await served.endTask("before", { principal: "ann" });
        const subscribed = await subscribe({ cursor });
        expect(subscribed).toMatchObject({ truncated: true, cursor: expect.stringMatching(/^evc_/) });
        await served.endTask("after", { principal: "ann" });
        await served.attempts(1);
        expect(receiver.deliveries.map(({ body }) => JSON.parse(body).data.task_id)).toEqual(["after"]);
        const poll = { name: "task_completed", cursor: subscribed["cursor"] };
        const { events } = await served.ask("events/poll", poll, "token-of-ann");
        expect(events).toMatchObject([{ data: { task_id: "after" } }]);
      },
    );

    it("treats an absent cursor as null: from now on", async () => {
      await served.endTask("before", { principal: "ann" });
      const { cursor } = await subscribe({ cursor: undefined });
      expect(await subscribe({ cursor: null, maxAgeMs: 1 })).toMatchObject({ cursor, truncated: false });
      expect(receiver.deliveries).toEqual([]);
    });

    describe("grants a time:", () => {
      it.each([
        ["the default without a wish", undefined, HOUR_MS],
        ["as wished", 90_000, 90_000],
        ["no less than the shortest", 5, 60_000],
        ["the shortest for nothing at all", 0, 60_000],
        ["the shortest for less than nothing", -1, 60_000],
        ["no more than the longest", 1e12, 86_400_000],
        ["a fraction cut off", 90_000.75, 90_000],
        ["the longest for none, where none is not offered", null, 86_400_000],
      ])("%s", async (_, ttlMs, wantMs) => {
        expect(await subscribe({ ttlMs })).toMatchObject({ refreshBefore: at(wantMs) });
      });

      it("no expiry where that is offered and asked for, and only then", async () => {
        const lifetime = { defaultMs: HOUR_MS, minMs: 60_000, maxMs: 86_400_000, allowsNone: true };
        served = await serveEvents(requestOf, { tokens: TOKENS, events: { lifetime } });
        expect(await subscribe({ ttlMs: null })).toMatchObject({ refreshBefore: null });
        expect(await subscribe({ ttlMs: 1e12 })).toMatchObject({ refreshBefore: at(86_400_000) });
        expect(await subscribe()).toMatchObject({ refreshBefore: at(HOUR_MS) });
      });

      it("an error for a ttlMs that is no number", async () => {
        const data = { field: "ttlMs", reason: "wrong_type" };
        expect(await refuse({ ttlMs: "3600000" })).toEqual({ code: -32602, message: "InvalidParams", data });
      });
    });

    describe("again is a refresh:", () => {
      it("the same id, a later expiry, no second challenge, and the state of delivery", async () => {
        const { id } = await subscribe();
        served.clock.advance(1000);
        expect(await subscribe()).toEqual({
          id,
          refreshBefore: at(HOUR_MS + 1000),
          cursor: expect.any(String),
          truncated: false,
          deliveryStatus: { active: true, lastDeliveryAt: null, lastError: null },
        });
        expect(receiver.challenges).toHaveLength(1);
        expect(await live()).toHaveLength(1);
      });

      it("a secret must come with it", async () => {
        await subscribe();
        expect(await refuse({ delivery: { secret: undefined } })).toMatchObject({
          code: -32602,
          data: { field: "delivery.secret", reason: "wrong_type" },
        });
      });

      it("of an active subscription ignores a cursor, also one of another server", async () => {
        const { cursor } = await subscribe();
        await served.endTask("task-1", { principal: "ann" });
        await served.attempts(1);
        await subscribe({ cursor });
        expect(await subscribe({ cursor: "yesterday" })).toMatchObject({ truncated: false });
        await served.endTask("task-2", { principal: "ann" });
        await served.attempts(2);
        expect(receiver.deliveries).toHaveLength(2);
      });
    });

    it("by two principals makes two subscriptions, though all else is the same: neither sees the other", async () => {
      const mine = await subscribe();
      const theirs = await subscribe({ delivery: { secret: ANOTHER_SECRET } }, "token-of-bob");
      expect(theirs["id"]).not.toBe(mine["id"]);
      expect(theirs).not.toHaveProperty("deliveryStatus");
      expect(receiver.challenges).toHaveLength(2);
      await served.ask("events/unsubscribe", aSubscribe(url), "token-of-bob");
      expect([await live("ann"), await live("bob")]).toMatchObject([[{ id: mine["id"] }], []]);
    });

    it("without a token is 401 with a challenge for the client, and nothing is stored or sent", async () => {
      const response = await rpc(served.port, requestOf("events/subscribe", aSubscribe(url)));
      expect(response).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
      expect([receiver.connections, await live()]).toEqual([0, []]);
    });

    describe("up to the limit of its principal:", () => {
      it("one more subscription is refused before its challenge; a refresh and another principal are not", async () => {
        for (const task_id of ["a", "b", "c"]) await subscribe({ arguments: { task_id } });
        expect(await refuse({ arguments: { task_id: "d" }, delivery: { url: `${url}&new` } })).toEqual({
          code: -32013,
          message: "ResourceExhausted",
          data: { limit: "subscriptions", max: 3 },
        });
        expect(receiver.challenges).toHaveLength(1);
        await subscribe({ arguments: { task_id: "a" } });
        await subscribe({ arguments: { task_id: "d" } }, "token-of-bob");
      });

      it("a slot is free again after an unsubscribe and after an expiry", async () => {
        for (const task_id of ["a", "b"]) await subscribe({ arguments: { task_id } });
        await subscribe({ arguments: { task_id: "c" }, ttlMs: 60_000 });
        await served.ask("events/unsubscribe", aSubscribe(url, { arguments: { task_id: "a" } }), "token-of-ann");
        await subscribe({ arguments: { task_id: "d" } });
        await refuse({ arguments: { task_id: "e" } });
        served.clock.advance(60_000);
        await subscribe({ arguments: { task_id: "e" } });
      });
    });

    describe("refuses", () => {
      const invalid = (field: string, reason: string) => ({ code: -32602, data: { field, reason } });
      it.each([
        ["an unknown event", { name: "task_exploded" }, { code: -32011, data: { kind: "event" } }],
        ["a name that is none", { name: 7 }, invalid("name", "wrong_type")],
        [
          "the mode push",
          { delivery: { mode: "push" } },
          { code: -32014, data: { feature: "deliveryMode", value: "push" } },
        ],
        ["no URL", { delivery: { url: undefined } }, invalid("delivery.url", "wrong_type")],
        ["no absolute URL", { delivery: { url: "/hook" } }, invalid("delivery.url", "malformed")],
        ["user info", { delivery: { url: "https://u:p@app.example/" } }, invalid("delivery.url", "malformed")],
        ["a fragment", { delivery: { url: "https://app.example/#x" } }, invalid("delivery.url", "malformed")],
        ["http", { delivery: { url: "http://app.example/" } }, invalid("delivery.url", "https_required")],
        [
          "http within a private network",
          { delivery: { url: "http://10.1.2.3/" } },
          invalid("delivery.url", "https_required"),
        ],
        [
          "http by the name localhost",
          { delivery: { url: "http://localhost:9/" } },
          invalid("delivery.url", "https_required"),
        ],
        ["another scheme", { delivery: { url: "ftp://app.example/" } }, invalid("delivery.url", "malformed")],
        [
          "a secret without prefix",
          { delivery: { secret: A_SECRET.slice(6) } },
          invalid("delivery.secret", "malformed"),
        ],
        [
          "a secret of 8 bytes",
          { delivery: { secret: "whsec_AAECAwQFBgc=" } },
          invalid("delivery.secret", "malformed"),
        ],
        [
          "a secret in the URL's alphabet",
          { delivery: { secret: `whsec_${"-_".repeat(16)}` } },
          invalid("delivery.secret", "malformed"),
        ],
        [
          "a secret with wrong padding",
          { delivery: { secret: A_SECRET.slice(0, -1) } },
          invalid("delivery.secret", "malformed"),
        ],
        [
          "an argument of the wrong type",
          { arguments: { task_id: 31337 } },
          invalid("arguments.task_id", "wrong_type"),
        ],
        ["an argument that no id may be", { arguments: { task_id: "a\nb" } }, invalid("arguments.task_id", "invalid")],
        ["an undeclared argument", { arguments: { colour: "sesame" } }, invalid("arguments", "undeclared")],
        ["arguments that are a list", { arguments: ["sesame"] }, invalid("arguments", "wrong_type")],
        ["a cursor of the wrong type", { cursor: 5 }, invalid("cursor", "wrong_type")],
        ["a negative age", { maxAgeMs: -1 }, invalid("maxAgeMs", "invalid")],
      ])("%s: nothing is stored, no challenge is sent, no value is repeated", async (_, changes, want) => {
        const error = await refuse(changes);
        expect(error).toMatchObject(want);
        expect(JSON.stringify(error)).not.toMatch(/sesame|31337|AAECAwQ/);
        expect([receiver.connections, await live()]).toEqual([0, []]);
      });

      it("params that are missing", async () => {
        expect(await served.fail("events/subscribe", {}, "token-of-ann")).toMatchObject({
          code: -32602,
          data: { field: "name" },
        });
      });
    });

    it("leaves no secret and no nonce in the log", async () => {
      await subscribe();
      await subscribe({ delivery: { secret: ANOTHER_SECRET } });
      const logged = JSON.stringify(served.emitted);
      expect(served.emitted.map(({ kind }) => kind)).toEqual(["subscription.created", "subscription.refreshed"]);
      const { challenge } = JSON.parse(receiver.challenges[0]!.body) as { challenge: string };
      for (const secret of [A_SECRET, ANOTHER_SECRET, challenge]) expect(logged).not.toContain(secret);
    });

    describe("and events/unsubscribe", () => {
      const unsubscribe = (changes: SubscribeChanges = {}, token = "token-of-ann") =>
        served.ask("events/unsubscribe", aSubscribe(url, changes), token);

      it("ends the subscription with this key, with or without mode and secret, and may be repeated", async () => {
        for (const delivery of [{}, { mode: undefined }, { mode: "push", secret: undefined }]) {
          await subscribe();
          expect(await unsubscribe({ delivery })).toEqual({});
          expect(await live()).toEqual([]);
          expect(await unsubscribe({ delivery })).toEqual({});
        }
      });

      it("a new subscribe makes a new subscription", async () => {
        const { id } = await subscribe();
        await unsubscribe();
        expect(await subscribe()).toEqual(expect.objectContaining({ id }));
        expect(await subscribe()).toHaveProperty("deliveryStatus");
        await unsubscribe();
        expect(await subscribe()).not.toHaveProperty("deliveryStatus");
      });

      it.each([
        ["an unknown event", { name: "task_exploded" }],
        ["another task", { arguments: { task_id: "other" } }],
        ["arguments that no event takes", { arguments: { colour: "red" } }],
        ["arguments of a wrong type", { arguments: { task_id: 5 } }],
        ["another URL", { delivery: { url: "https://app.example/" } }],
        ["no URL at all", { delivery: { url: "not a url" } }],
      ])("of %s is answered like any other, and ends nothing else", async (_, changes) => {
        await subscribe();
        expect(await unsubscribe(changes)).toEqual({});
        expect(await live()).toHaveLength(1);
      });

      it("needs a name and a URL, and takes no id", async () => {
        const { id } = await subscribe();
        for (const params of [{ id }, { name: "task_completed" }, { name: "task_completed", delivery: {} }])
          expect(await served.fail("events/unsubscribe", params, "token-of-ann")).toMatchObject({ code: -32602 });
        expect(await live()).toHaveLength(1);
      });

      it("of an unknown subscription is NotFound where the settings say so", async () => {
        served = await serveEvents(requestOf, {
          tokens: TOKENS,
          events: { unknownUnsubscribe: "not_found", errorCodes: "sep" },
        });
        const gone = { code: -32023, message: "NotFound", data: { kind: "subscription" } };
        expect(await served.fail("events/unsubscribe", aSubscribe(url), "token-of-ann")).toEqual(gone);
        await subscribe();
        expect(await unsubscribe()).toEqual({});
        expect(await served.fail("events/unsubscribe", aSubscribe(url), "token-of-ann")).toEqual(gone);
      });
    });
  });

  it("an unknown event is NotFound, whatever else is wrong with the request", async () => {
    const served = await serveEvents(requestOf);
    const notFound = expect.objectContaining({ message: "NotFound", data: { kind: "event" } });
    for (const params of [{}, { delivery: {} }, { delivery: { mode: "webhook", url: "http://x" } }, { ttlMs: "x" }])
      expect(await served.fail("events/subscribe", { name: "task_progress", ...params })).toEqual(notFound);
    expect(await served.fail("events/poll", { name: "x", maxEvents: -1 })).toEqual(notFound);
    const unnamed = await served.fail("events/subscribe", { name: "", delivery: {} });
    expect(unnamed).toMatchObject({ code: -32602, message: "InvalidParams" });
  });

  describe("errors have the numbers of", () => {
    const NUMBERS = {
      sketch: { NotFound: -32011, ResourceExhausted: -32013, Unsupported: -32014, CallbackEndpointError: -32015 },
      sep: { NotFound: -32023, ResourceExhausted: -32025, Unsupported: -32026, CallbackEndpointError: -32027 },
    } as const;

    it.each(["sketch", "sep"] as const)("the %s, and the same data in both", async (errorCodes) => {
      const served = await serveEvents(requestOf, { events: { errorCodes, perPrincipalMax: 1 } });
      const receiver = await startEventsReceiver();
      const numbers = NUMBERS[errorCodes];
      const fail = (changes: SubscribeChanges) => served.fail("events/subscribe", aSubscribe(receiver.url, changes));
      expect(await fail({ name: "x" })).toEqual({
        code: numbers.NotFound,
        message: "NotFound",
        data: { kind: "event" },
      });
      expect(await fail({ delivery: { mode: "poll" } })).toEqual({
        code: numbers.Unsupported,
        message: "Unsupported",
        data: { feature: "deliveryMode", value: "poll" },
      });
      receiver.respondWith(404);
      expect(await fail({})).toEqual({
        code: numbers.CallbackEndpointError,
        message: "CallbackEndpointError",
        data: { reason: "http_4xx" },
      });
      const echoing = await startEventsReceiver();
      await served.ask("events/subscribe", aSubscribe(echoing.url));
      expect(await fail({})).toEqual({
        code: numbers.ResourceExhausted,
        message: "ResourceExhausted",
        data: { limit: "subscriptions", max: 1 },
      });
      expect(await fail({ cursor: 5 })).toMatchObject({ code: -32602, message: "InvalidParams" });
    });
  });
});
