import { describe, expect, it } from "vitest";
import { A_SECRET } from "../../support/builders.ts";
import { echo } from "../../support/events-receiver.ts";
import { startReceiver } from "../../support/receiver.ts";
import { listenRaw, receiverWith } from "../../support/sender.ts";
import { signatureBy } from "../../support/signature-by.ts";
import { until } from "../../support/until.ts";
import { legacyRequest, WIRE_VERSIONS } from "../wire.ts";
import { aSubscribe, replyingToChallenge, serveEvents, startEventsReceiver } from "./serve-events.ts";
import type { RequestOf, ServeEventsOptions, SubscribeChanges } from "./serve-events.ts";

const TOKENS = [
  { name: "ann", token: "token-of-ann" },
  { name: "bob", token: "token-of-bob" },
  { name: "cleo", token: "token-of-cleo" },
  { name: "dan", token: "token-of-dan" },
  { name: "eve", token: "token-of-eve" },
];
const HIDDEN = "private text of the receiver";
const NOT_ALLOWED = {
  code: -32602,
  message: "InvalidParams",
  data: { field: "delivery.url", reason: "address_not_allowed" },
};

/** As many at the same time as one principal may have under way, so that they share their waits for the disk. */
const AT_ONCE = 16;

async function inBatches(count: number, each: (index: number) => Promise<unknown>): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - done) }, (_, index) => each(done + index)));
}

/** Ann subscribes by default. */
async function subscribing(of: RequestOf, options: ServeEventsOptions = {}) {
  const served = await serveEvents(of, { tokens: TOKENS, ...options });
  const stored = async () =>
    (await served.store.listSubscriptions("ann", { after: null, limit: 9, deliveries: 1, now: 0 })).length;
  const subscribe = (url: string, changes: SubscribeChanges = {}, token = "token-of-ann") =>
    served.ask("events/subscribe", aSubscribe(url, changes), token);
  const refuse = (url: string, changes: SubscribeChanges = {}, token = "token-of-ann") =>
    served.fail("events/subscribe", aSubscribe(url, changes), token);
  return { served, stored, subscribe, refuse };
}

describe.each(WIRE_VERSIONS)("the challenge of a subscribe, in $version:", ({ requestOf }) => {
  it("is one signed POST of the profile's shape, before anything is stored, with the id that is returned", async () => {
    const { served, stored, subscribe } = await subscribing(requestOf);
    let storedMeanwhile = Promise.resolve(-1);
    const receiver = await receiverWith(({ body }, response) => {
      storedMeanwhile = stored();
      const { challenge } = JSON.parse(body) as { challenge: string };
      response.writeHead(201).end(JSON.stringify({ more: 1, challenge }));
    });
    const { id } = await subscribe(`${receiver.url}/hook?a=1&b=%7E`);
    const [challenge, ...more] = receiver.requests;
    expect([await storedMeanwhile, await stored(), more]).toEqual([0, 1, []]);
    const { method, path, headers, body } = challenge!;
    expect([method, path]).toEqual(["POST", "/hook?a=1&b=%7E"]);
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "webhook-id": expect.stringMatching(/^msg_verification_[\w-]+$/),
      "webhook-timestamp": String(Math.floor(served.clock.now() / 1000)),
      "webhook-signature": signatureBy(A_SECRET, challenge!),
      "x-mcp-subscription-id": id,
    });
    expect(JSON.parse(body)).toEqual({ type: "verification", challenge: expect.stringMatching(/^[\w-]+$/) });
    expect(Object.keys(headers).filter((name) => /^(mcp-|authorization|cookie)/.test(name))).toEqual([]);
  });

  it("has a new nonce and a new id each time", async () => {
    const { subscribe } = await subscribing(requestOf);
    const receiver = await startEventsReceiver();
    for (const path of ["/a", "/b"]) await subscribe(receiver.url + path);
    const [one, two] = receiver.challenges;
    expect(one!.body).not.toBe(two!.body);
    expect(one!.headers["webhook-id"]).not.toBe(two!.headers["webhook-id"]);
  });

  describe("fails for a receiver that answers with", () => {
    it.each([
      ["another nonce", replyingToChallenge(() => JSON.stringify({ challenge: "nonce-0" })), "challenge_failed"],
      [
        "the nonce and more",
        replyingToChallenge((nonce) => JSON.stringify({ challenge: `${nonce}x` })),
        "challenge_failed",
      ],
      [
        "a part of the nonce",
        replyingToChallenge((nonce) => JSON.stringify({ challenge: nonce.slice(1) })),
        "challenge_failed",
      ],
      ["no text as nonce", replyingToChallenge(() => '{"challenge":true}'), "challenge_failed"],
      [
        "the nonce elsewhere",
        replyingToChallenge((nonce) => JSON.stringify({ data: { challenge: nonce } })),
        "challenge_failed",
      ],
      [
        "the nonce in a list",
        replyingToChallenge((nonce) => JSON.stringify([{ challenge: nonce }])),
        "challenge_failed",
      ],
      ["the nonce as plain text", replyingToChallenge((nonce) => nonce), "challenge_failed"],
      ["no JSON", replyingToChallenge(() => HIDDEN), "challenge_failed"],
      ["null", replyingToChallenge(() => "null"), "challenge_failed"],
      ["nothing", replyingToChallenge(() => ""), "challenge_failed"],
      ["204", replyingToChallenge(() => "", 204), "challenge_failed"],
      [
        "an endless body",
        replyingToChallenge((nonce) => JSON.stringify({ fill: "x".repeat(70_000), challenge: nonce })),
        "challenge_failed",
      ],
      [
        "500, the nonce in it",
        replyingToChallenge((nonce) => JSON.stringify({ challenge: nonce, HIDDEN }), 500),
        "http_5xx",
      ],
      [
        "404, the nonce in it",
        replyingToChallenge((nonce) => JSON.stringify({ challenge: nonce, HIDDEN }), 404),
        "http_4xx",
      ],
      ["410", replyingToChallenge(() => "", 410), "http_4xx"],
    ] as const)(
      "%s: one attempt, nothing stored, and nothing of the answer is repeated",
      async (_, handler, reason) => {
        const { refuse, stored } = await subscribing(requestOf);
        const receiver = await receiverWith(handler);
        const error = await refuse(receiver.url);
        expect(error).toEqual({ code: -32015, message: "CallbackEndpointError", data: { reason } });
        expect([receiver.requests.length, await stored()]).toEqual([1, 0]);
      },
    );

    it("a redirect, which is not followed", async () => {
      const { refuse, stored } = await subscribing(requestOf);
      const target = await startEventsReceiver();
      const receiver = await receiverWith((_, response) => response.writeHead(307, { location: target.url }).end());
      expect(await refuse(receiver.url)).toMatchObject({ code: -32015, data: { reason: "http_4xx" } });
      expect([target.connections, await stored()]).toEqual([0, 0]);
    });

    it("nothing in time", async () => {
      const { refuse, stored } = await subscribing(requestOf, { attemptTimeoutMs: 50 });
      const { url } = await listenRaw(() => undefined);
      expect(await refuse(url)).toMatchObject({ code: -32015, data: { reason: "timeout" } });
      expect(await stored()).toBe(0);
    });

    it("in no TLS where the URL has https", async () => {
      const { refuse } = await subscribing(requestOf);
      const { url } = await listenRaw((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
      expect(await refuse(url.replace("http:", "https:"))).toMatchObject({ data: { reason: "tls_error" } });
    });

    it("from a closed port", async () => {
      const { refuse, stored } = await subscribing(requestOf);
      const receiver = await startReceiver();
      await receiver.close();
      expect(await refuse(receiver.url)).toMatchObject({ code: -32015, data: { reason: "connection_refused" } });
      expect(await stored()).toBe(0);
    });
  });

  it("that failed is repeated by the next subscribe, and may then succeed", async () => {
    const { subscribe, refuse } = await subscribing(requestOf);
    const receiver = await receiverWith(replyingToChallenge(() => ""));
    await refuse(receiver.url);
    receiver.respondWith(replyingToChallenge((challenge) => JSON.stringify({ challenge })));
    expect(await subscribe(receiver.url)).not.toHaveProperty("deliveryStatus");
    expect(receiver.requests).toHaveLength(2);
  });

  it("that succeeded counts for a day for its principal and URL, for all its subscriptions, and for no other principal", async () => {
    const { served, subscribe } = await subscribing(requestOf);
    const receiver = await startEventsReceiver();
    const challenged = () => receiver.challenges.length;
    await subscribe(receiver.url);
    await subscribe(receiver.url, { name: "task_failed", arguments: { task_id: "a" } });
    expect(challenged()).toBe(1);
    await subscribe(receiver.url, {}, "token-of-bob");
    expect(challenged()).toBe(2);
    await subscribe(`${receiver.url}/?`);
    expect(challenged()).toBe(3);
    served.clock.advance(86_400_000 - 1);
    await subscribe(receiver.url);
    expect(challenged()).toBe(3);
    served.clock.advance(1);
    await subscribe(receiver.url);
    expect(challenged()).toBe(4);
  });

  it("is made at most 60 times a minute for one principal; other principals are not affected", async () => {
    const { served, refuse, subscribe } = await subscribing(requestOf);
    const receivers = [await startEventsReceiver(), await startEventsReceiver()];
    // The limit counts host and port, so each of the two has room for the other principal.
    await inBatches(60, (index) => subscribe(`${receivers[index % 2]!.url}/${index}`));
    served.clock.advance(15_000);
    const error = { code: -32013, message: "ResourceExhausted", data: { limit: "challenges", retryAfterMs: 45_000 } };
    expect(await refuse(`${receivers[0]!.url}/one-too-many`)).toEqual(error);
    expect(receivers[0]!.challenges).toHaveLength(30);
    expect(await subscribe(`${receivers[0]!.url}/0`)).toHaveProperty("deliveryStatus");
    await subscribe(`${receivers[0]!.url}/bob`, {}, "token-of-bob");
    served.clock.advance(45_000);
    await subscribe(`${receivers[0]!.url}/again`);
  });

  it("is under way at most 16 times for one principal, so that slow receivers do not delay other principals", async () => {
    const { refuse, subscribe } = await subscribing(requestOf);
    const held: (() => void)[] = [];
    const receiver = await receiverWith((request, response) => void held.push(() => echo(request, response)));
    const under = Array.from({ length: 16 }, async (_, index) => subscribe(`${receiver.url}/${index}`));
    await until("all are under way", () => held.length === 16);
    const busy = { limit: "challenges", retryAfterMs: 1000 };
    expect(await refuse(`${receiver.url}/one-too-many`)).toMatchObject({ code: -32013, data: busy });
    expect(held).toHaveLength(16);
    const other = await startEventsReceiver();
    await subscribe(other.url, {}, "token-of-bob");
    for (const release of held) release();
    await Promise.all(under);
    receiver.respondWith(echo);
    await subscribe(`${receiver.url}/one-too-many`);
  });

  describe("is never sent to an address that is not allowed:", () => {
    it("the answer is the same for private, loopback, metadata and unknown hosts, and no connection is opened", async () => {
      const { served, refuse, stored } = await subscribing(requestOf, { events: { allow: "none" } });
      const canary = await startReceiver();
      for (const host of [
        `127.0.0.1:${canary.port}`,
        `localhost:${canary.port}`,
        `localhost.:${canary.port}`,
        `[::1]:${canary.port}`,
        `[::ffff:127.0.0.1]:${canary.port}`,
        `2130706433:${canary.port}`,
        "10.255.255.1",
        "192.168.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "metadata.internal",
        "unknown.example",
      ])
        expect([host, await refuse(`https://${host}/hook`)]).toEqual([host, NOT_ALLOWED]);
      expect([canary.connections, await stored()]).toEqual([0, 0]);
      expect(served.emitted).toEqual([]);
    });

    it("the rate limit does not reveal either whether a name resolves: it counts refused ones too", async () => {
      const { refuse } = await subscribing(requestOf, { events: { allow: "none" } });
      await inBatches(60, (index) =>
        refuse(`https://${index % 2 === 0 ? `unknown-${index}.example` : `10.0.0.${index}`}/`),
      );
      for (const host of ["unknown.example", "10.0.0.1", "localhost"])
        expect(await refuse(`https://${host}/`)).toMatchObject({ data: { limit: "challenges" } });
    });
  });
});

// In one protocol version: the limit counts hosts, and each of the many challenges costs a request.
it("challenges may fail at most 240 times a minute at one host, for all principals together; other hosts are not affected", async () => {
  const { refuse, subscribe, served } = await subscribing(legacyRequest);
  const [other, receiver] = [await startEventsReceiver(), await receiverWith(replyingToChallenge(() => "no echo"))];
  for (const { token } of TOKENS.slice(0, 4))
    await inBatches(60, (index) => refuse(`${receiver.url}/${index}`, {}, token));
  const limit = { limit: "challenges", retryAfterMs: 60_000 };
  expect(await refuse(`${receiver.url}/x`, {}, TOKENS[4]!.token)).toMatchObject({ code: -32013, data: limit });
  expect(receiver.requests).toHaveLength(240);
  await subscribe(other.url, {}, TOKENS[4]!.token);
  served.clock.advance(60_000);
  receiver.respondWith(replyingToChallenge((challenge) => JSON.stringify({ challenge })));
  await subscribe(`${receiver.url}/x`, {}, TOKENS[4]!.token);
});

it("a challenge that succeeds does not count for its host: the users of one cloud share it", async () => {
  const { refuse, subscribe } = await subscribing(legacyRequest);
  const receiver = await startEventsReceiver();
  for (const { token } of TOKENS.slice(0, 5))
    await inBatches(52, (index) => subscribe(`${receiver.url}/${index}`, {}, token));
  expect(receiver.challenges).toHaveLength(260);
  receiver.respondWith(replyingToChallenge(() => "no echo"));
  for (let index = 0; index < 40; index++)
    expect(await refuse(`${receiver.url}/f${index}`, {}, TOKENS[index % 5]!.token)).toMatchObject({ code: -32015 });
});
