import { beforeEach, describe, expect, it } from "vitest";
import { limitKeyOf } from "../../../src/domain/limit-key.ts";
import type { TaskOutcome } from "../../../src/domain/task.ts";
import { A_SECRET, HOUR_MS, T0 } from "../../support/builders.ts";
import type { ReceivedRequest } from "../../support/receiver.ts";
import { receiverWith } from "../../support/sender.ts";
import { until } from "../../support/until.ts";
import { signatureBy } from "../../support/signature-by.ts";
import { WIRE_VERSIONS } from "../wire.ts";
import { aSubscribe, replyingToChallenge, serveEvents, startEventsReceiver } from "./serve-events.ts";
import type { EventsReceiver, ServedEvents, SubscribeChanges } from "./serve-events.ts";

const ANOTHER_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const FAILED: TaskOutcome = { status: "failed", error: "no disk" };
const AT = new Date(T0).toISOString();
const BODY_BYTES_MAX = 262_144;

// Deliveries do not depend on the protocol version of the subscribe. ChatGPT speaks this one.
const { requestOf } = WIRE_VERSIONS[1];

let served: ServedEvents;
let receiver: EventsReceiver;

async function setUp(options: Parameters<typeof serveEvents>[1] = {}): Promise<void> {
  served = await serveEvents(requestOf, options);
  receiver = await startEventsReceiver();
}
beforeEach(() => setUp());

const subscribe = (changes: SubscribeChanges = {}) =>
  served.ask("events/subscribe", aSubscribe(`${receiver.url}/hook?id=5b1c`, changes));
const unsubscribe = (changes: SubscribeChanges = {}) =>
  served.ask("events/unsubscribe", aSubscribe(`${receiver.url}/hook?id=5b1c`, changes));
const parsed = ({ body }: ReceivedRequest) => JSON.parse(body) as { eventId: string; name: string; cursor: string };
async function deliveries(count: number): Promise<readonly ReceivedRequest[]> {
  await served.attempts(count);
  expect(receiver.deliveries).toHaveLength(count);
  return receiver.deliveries;
}
/** Longer than the schedule. */
async function advance(ms: number): Promise<void> {
  await served.quiet();
  served.clock.advance(ms);
}
async function history() {
  const page = { after: null, limit: 9, deliveries: 9, now: served.clock.now() };
  const [subscription] = await served.store.listSubscriptions("local", page);
  return subscription!;
}

describe("what is sent to a subscription", () => {
  it("is the event, to the byte, with the headers of the profile and no other", async () => {
    const { id, cursor } = await subscribe({ arguments: { task_id: "task-1" } });
    await served.endTask("task-1");
    const [request] = await deliveries(1);
    const { headers, body, method, path } = request!;
    const { eventId } = parsed(request!);
    const place = parsed(request!).cursor;
    expect(body).toBe(
      `{"eventId":"${eventId}","name":"task_completed","timestamp":"${AT}","data":{"task_id":"task-1","started_by":"starter",` +
        `"status":"completed","sequence":1,"finished_at":"${AT}"},"cursor":"${place}",` +
        `"_meta":{"audience":"${receiver.url}/hook?id=5b1c","principal":"local"}}`,
    );
    expect(place).not.toBe(cursor);
    expect([method, path]).toEqual(["POST", "/hook?id=5b1c"]);
    const { host: _, connection: __, ...own } = headers;
    expect(own).toEqual({
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      "accept-encoding": "identity",
      "user-agent": "test",
      "webhook-id": eventId,
      "webhook-timestamp": String(T0 / 1000),
      "webhook-signature": signatureBy(A_SECRET, request!),
      "x-mcp-subscription-id": id,
    });
    expect(Buffer.byteLength(body)).toBeLessThan(BODY_BYTES_MAX);
    expect(receiver.requests[0]).toBe(receiver.challenges[0]);
  });

  it("has its own webhook-id where the settings say so, the same on every attempt", async () => {
    await setUp({ webhookId: "message" });
    await subscribe();
    receiver.answer(500, 204);
    await served.endTask("task-1");
    await served.attempts(1);
    await advance(5000);
    const [first, second] = await deliveries(2);
    expect(first!.headers["webhook-id"]).toMatch(/^msg_dlv_[0-9a-z]{26}$/);
    expect(second!.headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
    expect(second!.headers["webhook-signature"]).toBe(signatureBy(A_SECRET, second!));
  });

  it("carries no result, however large, and is the same event for every subscriber", async () => {
    await subscribe();
    await subscribe({ name: "task_finished" });
    await served.endTask("task-1", { outcome: { status: "completed", result: "y".repeat(200_000) } });
    const [one, other] = await deliveries(2);
    expect(new Set([parsed(one!).name, parsed(other!).name])).toEqual(new Set(["task_completed", "task_finished"]));
    expect(parsed(one!).eventId).toBe(parsed(other!).eventId);
    for (const { body } of [one!, other!]) expect(body.length).toBeLessThan(400);
  });

  it("is nothing for events that were not subscribed to: no attempt is made", async () => {
    await subscribe({ arguments: { task_id: "mine" } });
    await served.endTask("other");
    await served.endTask("mine", { outcome: FAILED });
    expect((await history()).deliveries).toEqual([]);
    await served.quiet();
    expect(receiver.deliveries).toEqual([]);
  });

  it("has a cursor before which everything is settled, and a refresh advances it when nothing happens", async () => {
    const placeNow = async () => (await subscribe({ arguments: { task_id: "never" } }))["cursor"];
    await placeNow();
    const { cursor } = await subscribe();
    await served.endTask("task-1");
    const [first] = await deliveries(1);
    expect(parsed(first!).cursor).not.toBe(cursor);
    expect(await placeNow()).toBe(parsed(first!).cursor);
    expect((await subscribe())["cursor"]).toBe(parsed(first!).cursor);
    receiver.answer(503, 204);
    await served.endTask("task-2");
    await served.attempts(2);
    expect((await subscribe())["cursor"]).toBe(parsed(first!).cursor);
    await advance(5000);
    const [, failed, again] = await deliveries(3);
    expect(failed!.body).toBe(again!.body);
    expect((await subscribe())["cursor"]).toBe(parsed(again!).cursor);
  });

  it("is replayed once each from the cursor of a body or an answer, and truncated is set", async () => {
    const { cursor } = await subscribe();
    await served.endTask("task-1");
    const [first] = await deliveries(1);
    await unsubscribe();
    await served.endTask("task-2");
    const again = await subscribe({ cursor: parsed(first!).cursor });
    expect(again).toMatchObject({ truncated: false });
    const [, second] = await deliveries(2);
    expect(second!.body).toContain('"task_id":"task-2"');
    await unsubscribe();
    served.clock.advance(10);
    expect(await subscribe({ cursor, maxAgeMs: 10 })).toMatchObject({ truncated: false });
    await deliveries(4);
    await unsubscribe();
    expect(await subscribe({ cursor, maxAgeMs: 9 })).toMatchObject({ truncated: true });
    await served.quiet();
    await deliveries(4);
  });
});

describe("an answer of", () => {
  it("500, 500 and 200 mean three attempts of one event, each with a new signature, and none after the success", async () => {
    await subscribe();
    receiver.answer(500, 500, 200);
    await served.endTask("task-1");
    await served.attempts(1);
    await advance(5000);
    await served.attempts(2);
    await advance(60_000);
    const requests = await deliveries(3);
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(requests.map(({ body }) => body)).size).toBe(1);
    expect(new Set(requests.map(({ headers }) => headers["webhook-signature"])).size).toBe(3);
    const seconds = requests.map(({ headers }) => Number(headers["webhook-timestamp"]) - T0 / 1000);
    expect(seconds).toEqual([0, 5, 65]);
    for (const request of requests) expect(request.headers["webhook-signature"]).toBe(signatureBy(A_SECRET, request));
    await advance(HOUR_MS / 2);
    await deliveries(3);
    expect(await history()).toMatchObject({ deliveries: [{ status: "delivered", attemptCount: 3 }] });
  });

  it("500 every time means the attempts of the schedule and no more, and the subscription stays", async () => {
    await subscribe();
    receiver.answer(500);
    await served.endTask("task-1");
    for (const [index, wait] of [5000, 60_000].entries()) {
      await served.attempts(index + 1);
      await advance(wait);
    }
    await served.attempts(3);
    await advance(HOUR_MS / 2);
    await deliveries(3);
    expect(await history()).toMatchObject({
      status: "active",
      deliveries: [{ status: "exhausted", attemptCount: 3 }],
    });
    expect(await subscribe()).toMatchObject({
      deliveryStatus: { active: true, lastError: "http_5xx", failedSince: AT, lastDeliveryAt: null },
    });
  });

  it("a refresh during a short wait, which invalidates the claim, does not leave the event undelivered", async () => {
    await setUp({ waitsMs: [1000, 60_000] });
    await subscribe();
    receiver.answer(503, 204);
    await served.endTask("task-1");
    await served.attempts(1);
    await until("the claim is kept over the wait", () => served.clock.sleeping === 2);
    await subscribe();
    served.clock.advance(1000);
    await deliveries(2);
  });

  it.each([410, 413])("%d means one attempt, and the next event is still sent", async (status) => {
    await subscribe();
    receiver.answer(status, 204);
    await served.endTask("task-1");
    await served.attempts(1);
    await served.endTask("task-2");
    const [refused, taken] = (await deliveries(2)).map((request) => parsed(request).eventId);
    const statusOf = new Map((await history()).deliveries.map((one) => [one.eventId, one.status]));
    expect([...statusOf]).toHaveLength(2);
    expect([statusOf.get(refused!), statusOf.get(taken!)]).toEqual(["exhausted", "delivered"]);
  });

  it.each([503, 425])(
    "%d, which receivers answer to an event that arrives before the answer to the subscribe, means a retry",
    async (status) => {
      await subscribe();
      receiver.answer(status, 204);
      await served.endTask("task-1");
      await served.attempts(1);
      await advance(5000);
      await deliveries(2);
    },
  );

  it("302 is a failure like 4xx, and the redirect is not followed", async () => {
    const target = await startEventsReceiver();
    const redirecting = await receiverWith();
    redirecting.respondWith(replyingToChallenge((challenge) => JSON.stringify({ challenge })));
    await served.ask("events/subscribe", aSubscribe(redirecting.url));
    redirecting.respondWith(302, "", { location: target.url });
    await served.endTask("task-1");
    await served.attempts(1);
    expect(await served.ask("events/subscribe", aSubscribe(redirecting.url))).toMatchObject({
      deliveryStatus: { lastError: "http_4xx" },
    });
    expect(target.connections).toBe(0);
  });

  it("any failure is reported to the subscriber as one of six words, never with the receiver's own text", async () => {
    await subscribe();
    receiver.respondWith(500, "private text of the receiver", { "x-hidden": "secret" });
    await served.endTask("task-1");
    await served.attempts(1);
    // Each member by name: a pattern like /500/ may match the random id.
    expect(await subscribe()).toEqual({
      id: expect.stringMatching(/^sub_[0-9a-f]{32}$/),
      refreshBefore: expect.any(String),
      cursor: expect.stringMatching(/^evc_/),
      truncated: false,
      deliveryStatus: { active: true, lastDeliveryAt: null, lastError: "http_5xx", failedSince: AT },
    });
  });
});

describe("a refresh reports that deliveries are delayed,", () => {
  /** The receiver's answer to the next delivery; another one waits then. */
  async function failOnce(status: number, headers: Record<string, string> = {}): Promise<void> {
    await subscribe();
    receiver.respondWith(status, "", headers);
    await served.endTask("task-1");
    await served.attempts(1);
  }
  const statusOf = async () => (await subscribe())["deliveryStatus"];

  it.each([
    [429, {}, 5000],
    [429, { "retry-after": "30" }, 30_000],
    [503, { "retry-after": "30" }, 30_000],
    [425, { "retry-after": "6" }, 6000],
  ])("because the receiver asked for it: %d with %o", async (status, headers, waitMs) => {
    await failOnce(status, headers);
    expect(await statusOf()).toMatchObject({ active: true, throttled: true, retryAfterMs: waitMs });
    served.clock.advance(1000);
    expect(await statusOf()).toMatchObject({ throttled: true, retryAfterMs: waitMs - 1000 });
  });

  it.each([
    ["an ordinary failure", 500, {}],
    ["an unavailable receiver that asks for nothing", 503, {}],
    ["a wish that the schedule grants anyway", 503, { "retry-after": "3" }],
    ["a refusal", 404, {}],
  ])("and not for %s", async (_, status, headers) => {
    await failOnce(status, headers);
    expect(await statusOf()).toEqual({
      active: true,
      lastDeliveryAt: null,
      lastError: expect.any(String),
      failedSince: AT,
    });
  });

  it("and no longer once they are sent", async () => {
    await failOnce(429, { "retry-after": "30" });
    expect(await statusOf()).toMatchObject({ throttled: true });
    receiver.respondWith(204);
    await advance(30_000);
    await served.attempts(2);
    expect(await statusOf()).toEqual({
      active: true,
      lastDeliveryAt: new Date(T0 + 30_000).toISOString(),
      lastError: null,
    });
  });

  it("since their origin is in the slow lane, until the next probe", async () => {
    await subscribe();
    const key = limitKeyOf({ principal: "local", origin: new URL(receiver.url).origin });
    const failed = { statusCode: 503, error: "http_5xx" } as const;
    for (let index = 0; index < 100; index++) served.breaker.record(key, failed, served.clock.now());
    expect(await statusOf()).toMatchObject({ active: true, throttled: true, retryAfterMs: 30_000 });
    served.clock.advance(40_000);
    expect(await statusOf()).toMatchObject({ throttled: true, retryAfterMs: 0 });
    served.breaker.record(key, { statusCode: 200, error: null }, served.clock.now());
    expect(await statusOf()).not.toHaveProperty("throttled");
  });

  it("but not for a suspended subscription", async () => {
    await setUp({ suspendPolicy: { forMs: 0, failuresMin: 1 } });
    await failOnce(429, { "retry-after": "30" });
    expect(await statusOf()).toEqual({ active: false, lastDeliveryAt: null, lastError: "http_4xx", failedSince: AT });
  });
});

describe("a refresh", () => {
  it("with another secret: both sign for a day, the new one first, then only the new one", async () => {
    await subscribe({ ttlMs: 86_400_000 });
    await subscribe({ ttlMs: 86_400_000, delivery: { secret: ANOTHER_SECRET } });
    await served.endTask("task-1");
    const [during] = await deliveries(1);
    const both = `${signatureBy(ANOTHER_SECRET, during!)} ${signatureBy(A_SECRET, during!)}`;
    expect(during!.headers["webhook-signature"]).toBe(both);
    await advance(HOUR_MS);
    await subscribe({ ttlMs: 86_400_000, delivery: { secret: ANOTHER_SECRET } });
    await advance(23 * HOUR_MS);
    await served.endTask("task-2");
    const [, after] = await deliveries(2);
    expect(after!.headers["webhook-signature"]).toBe(signatureBy(ANOTHER_SECRET, after!));
  });

  it("of a suspended subscription reports that, and its waiting deliveries are sent", async () => {
    await setUp({ suspendPolicy: { forMs: 0, failuresMin: 2 } });
    await subscribe();
    receiver.answer(500, 500, 204);
    await served.endTask("task-1");
    await served.attempts(1);
    await served.endTask("task-2");
    await served.attempts(2);
    await served.endTask("task-3");
    await advance(60_000);
    await served.quiet();
    await deliveries(2);
    expect(await subscribe()).toMatchObject({ deliveryStatus: { active: false, lastError: "http_5xx" } });
    await served.attempts(5);
    const received = receiver.deliveries.slice(2).map(({ body }) => /task-\d/.exec(body)![0]);
    expect(received.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(["task-1", "task-2", "task-3"]);
    expect(await subscribe()).toMatchObject({ deliveryStatus: { active: true, lastError: null } });
  });

  it("in time keeps deliveries that wait for a retry after the first expiry", async () => {
    await setUp({ waitsMs: [90_000] });
    await subscribe({ ttlMs: 60_000 });
    receiver.answer(500, 204);
    await served.endTask("task-1");
    await served.attempts(1);
    await advance(59_000);
    await subscribe({ ttlMs: 60_000 });
    await served.quiet();
    served.clock.advance(31_000);
    await deliveries(2);
    expect(await history()).toMatchObject({ deliveries: [{ status: "delivered" }] });
  });
});

describe("nothing is sent", () => {
  it("after the expiry, waiting retries included, and open deliveries are cancelled", async () => {
    await subscribe({ ttlMs: 60_000 });
    receiver.answer(500);
    await served.endTask("task-1");
    await served.attempts(1);
    await advance(5000);
    await served.attempts(2);
    await advance(55_000);
    await until("it is expired", async () => (await history()).deliveries[0]!.status === "cancelled");
    await served.endTask("task-2");
    await served.quiet();
    await deliveries(2);
    expect(await history()).toMatchObject({ status: "expired", deliveries: [{ reason: "expired" }] });
    expect(await subscribe()).not.toHaveProperty("deliveryStatus");
  });

  it("after an unsubscribe, waiting retries included", async () => {
    await subscribe();
    receiver.answer(500);
    await served.endTask("task-1");
    await served.attempts(1);
    await served.quiet();
    await unsubscribe();
    await served.endTask("task-2");
    served.clock.advance(HOUR_MS / 2);
    await served.quiet();
    await deliveries(1);
    expect(await history()).toMatchObject({ status: "ended", deliveries: [{ status: "cancelled", attemptCount: 1 }] });
  });

  it("of another principal's tasks, though they have the same ids", async () => {
    await subscribe({ arguments: { task_id: "task-1" } });
    await served.endTask("task-1", { principal: "another" });
    await served.quiet();
    await deliveries(0);
  });
});
