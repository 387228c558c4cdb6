import { gzipSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { RESPONSE_EXCERPT_BYTES_MAX } from "../../src/outbound/response.ts";
import type { Handler } from "../support/receiver.ts";
import { DELIVERED, listenRaw, post, receiverWith, senderWith } from "../support/sender.ts";
import { heldDeadlines, whenRead } from "./deadlines.ts";

describe("a request", () => {
  test("is one POST with the given bytes and headers, to the path and query of the URL", async () => {
    const receiver = await receiverWith();
    const headers = { "webhook-id": "evt_1", "webhook-signature": "v1,a= v1,b=" };
    const request = {
      url: new URL(`${receiver.url}/hook?token=a%20b`),
      principal: "local",
      headers,
      body: '{"hello":"wörld"}',
    };
    expect(await senderWith().send(request, new AbortController().signal)).toEqual(DELIVERED);
    expect(receiver.requests).toMatchObject([
      {
        method: "POST",
        path: "/hook?token=a%20b",
        body: '{"hello":"wörld"}',
        headers: {
          ...headers,
          host: `127.0.0.1:${receiver.port}`,
          "content-type": "application/json",
          "content-length": "18",
          "accept-encoding": "identity",
          "user-agent": "mcp-callbacks/test",
        },
      },
    ]);
  });

  test("has the headers of the caller instead of the usual ones", async () => {
    const receiver = await receiverWith();
    const headers = { "content-type": "application/cloudevents+json" };
    await senderWith().send(
      { url: new URL(receiver.url), principal: "local", headers, body: "{}" },
      new AbortController().signal,
    );
    expect(receiver.requests[0]?.headers["content-type"]).toBe("application/cloudevents+json");
  });

  test("uses a connection again and ignores proxy variables", async () => {
    const receiver = await receiverWith();
    vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:9");
    vi.stubEnv("http_proxy", "http://127.0.0.1:9");
    try {
      const sender = senderWith({ connectionsPerOrigin: 1 });
      for (let i = 0; i < 3; i++) expect(await post(sender, receiver.url)).toEqual(DELIVERED);
    } finally {
      vi.unstubAllEnvs();
    }
    expect(receiver.connections).toBe(1);
  });
});

describe("the status decides", () => {
  test.each([
    [200, null],
    [202, null],
    [299, null],
    [304, "http_3xx"],
    [400, "http_4xx"],
    [410, "http_4xx"],
    [429, "http_4xx"],
    [500, "http_5xx"],
    [503, "http_5xx"],
  ])("%d is %s", async (status, error) => {
    const receiver = await receiverWith();
    receiver.respondWith(status);
    expect(await post(senderWith(), receiver.url)).toEqual({ statusCode: status, error, responseExcerpt: null });
  });

  test.each([301, 302, 303, 307, 308])("a redirect (%d) is a failure and not followed", async (status) => {
    const elsewhere = await receiverWith();
    const receiver = await receiverWith();
    receiver.respondWith(status, "moved", { location: elsewhere.url });
    const outcome = await post(senderWith(), receiver.url);
    expect(outcome).toEqual({ statusCode: status, error: "http_3xx", responseExcerpt: "moved" });
    expect(elsewhere.connections).toBe(0);
  });

  test("103 Early Hints is not the response", async () => {
    const receiver = await receiverWith((_request, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => response.writeHead(204).end());
    });
    expect(await post(senderWith(), receiver.url)).toEqual(DELIVERED);
  });

  test("2xx is delivered although its body stalls, is cut off or never ends", async () => {
    const stalling = await receiverWith((_request, response) => response.writeHead(200).write("and then"));
    const breaking = await receiverWith((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("and then", () => response.destroy());
    });
    const endless = await receiverWith((_request, response) => pour(response.writeHead(200), Infinity));
    const delivered = { statusCode: 200, error: null, responseExcerpt: null };
    const { startDeadline, pass } = heldDeadlines();
    const connect = whenRead(stalling.port, /and then/, pass);
    expect(await post(senderWith({ startDeadline, connect }), stalling.url)).toEqual(delivered);
    expect(await post(senderWith(), breaking.url)).toEqual(delivered);
    expect(await post(senderWith(), endless.url)).toEqual(delivered);
  });

  test("another status counts too when its body is cut off, with an excerpt", async () => {
    const receiver = await receiverWith((_request, response) => {
      response.writeHead(410, { "content-length": "100" }).write("gone, and", () => response.destroy());
    });
    const outcome = await post(senderWith(), receiver.url);
    expect(outcome).toEqual({ statusCode: 410, error: "http_4xx", responseExcerpt: "gone, and" });
  });
});

describe("Retry-After", () => {
  const TOMORROW = "Tue, 24 Nov 2026 08:49:37 GMT";

  test.each([
    [425, "7", { afterMs: 7000 }],
    [429, TOMORROW, { atMs: Date.parse(TOMORROW) }],
    [503, "0", { afterMs: 0 }],
  ])("of a %d is part of the outcome: %s", async (status, value, retryAfter) => {
    const receiver = await receiverWith();
    receiver.respondWith(status, "busy", { "retry-after": value });
    expect(await post(senderWith(), receiver.url)).toMatchObject({ statusCode: status, retryAfter });
  });

  test.each([
    [503, "soon"],
    [503, ""],
    [500, "7"],
    [301, "7"],
    [200, "7"],
  ])("of a %d that says %j is not heeded", async (status, value) => {
    const receiver = await receiverWith();
    receiver.respondWith(status, "", { "retry-after": value });
    expect(await post(senderWith(), receiver.url)).not.toHaveProperty("retryAfter");
  });

  test("is ignored when it comes twice", async () => {
    const head = "HTTP/1.1 503 No\r\nretry-after: 7\r\nretry-after: 70\r\ncontent-length: 0\r\n\r\n";
    const server = await listenRaw((socket) => socket.once("data", () => socket.write(head)));
    const outcome = await post(senderWith(), server.url);
    expect(outcome).toEqual({ statusCode: 503, error: "http_5xx", responseExcerpt: null });
  });
});

describe("the excerpt of a response", () => {
  test("is kept of a failure, cut at a whole character, and not of a success", async () => {
    const receiver = await receiverWith();
    // The two bytes of "é" lie on both sides of the limit.
    const most = "x".repeat(RESPONSE_EXCERPT_BYTES_MAX - 1);
    receiver.respondWith(500, `${most}é and more`);
    const sender = senderWith({ connectionsPerOrigin: 1 });
    expect(await post(sender, receiver.url)).toEqual({ statusCode: 500, error: "http_5xx", responseExcerpt: most });
    receiver.respondWith(200, "thank you");
    expect(await post(sender, receiver.url)).toEqual({ statusCode: 200, error: null, responseExcerpt: null });
    expect(receiver.connections).toBe(1);
  });

  test("of 100 MB holds the beginning; then the connection is closed", async () => {
    const { promise: sent, resolve } = Promise.withResolvers<number>();
    const receiver = await receiverWith((_request, response) => {
      const { socket } = response;
      socket?.once("close", () => resolve(socket.bytesWritten));
      pour(response.writeHead(500), 100 * 2 ** 20);
    });
    const outcome = await post(senderWith(), receiver.url);
    expect(outcome).toMatchObject({ statusCode: 500, error: "http_5xx" });
    expect(outcome.responseExcerpt).toBe("x".repeat(RESPONSE_EXCERPT_BYTES_MAX));
    // The buffers of the kernel on both sides take this much in any case.
    expect(await sent).toBeLessThan(20 * 2 ** 20);
  });

  test("of gzip is not unpacked", async () => {
    const bomb = gzipSync("x".repeat(2 ** 20));
    const receiver = await receiverWith((_request, response) => {
      response.writeHead(500, { "content-encoding": "gzip" }).end(bomb);
    });
    const { responseExcerpt } = await post(senderWith(), receiver.url);
    expect(responseExcerpt).toBe(new TextDecoder().decode(bomb.subarray(0, RESPONSE_EXCERPT_BYTES_MAX)));
  });
});

/** Writes `bytes` in all, as fast as the peer reads, until it stops reading. */
function pour(response: Parameters<Handler>[1], bytes: number): void {
  const chunk = Buffer.alloc(65_536, "x");
  const more = (): void => {
    let left = bytes - (response.socket?.bytesWritten ?? bytes);
    while (left > 0 && !response.destroyed && response.write(chunk)) left -= chunk.length;
    if (left <= 0) response.end();
  };
  response.on("drain", more);
  more();
}
