/** Requests that fail: one deadline, one category for each failure; internal failures reject. */
import { syncBuiltinESMExports } from "node:module";
import type { Socket } from "node:net";
import nodeTls from "node:tls";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Resolve } from "../../src/outbound/address-guard.ts";
import { LOOKUP_SLOTS_BUSY } from "../../src/outbound/names/lookup-error.ts";
import { createNameResolver } from "../../src/outbound/names/name-resolver.ts";
import { SenderBusy } from "../../src/service/ports/sender.ts";
import { startDnsServer } from "../support/dns-server.ts";
import type { AnswerQuestion } from "../support/dns-server.ts";
import { failingWith, resolvingTo } from "../support/resolve.ts";
import { selfSigned } from "../support/self-signed.ts";
import { DELIVERED, failure, listenRaw, post, receiverWith, senderWith } from "../support/sender.ts";
import { until } from "../support/until.ts";
import { connectTo, heldDeadlines, whenRead } from "./deadlines.ts";

/** As localhost often resolves. */
const bothLoopbacks = resolvingTo("::1", "127.0.0.1");

describe("one deadline for the whole attempt", () => {
  test("a receiver that never answers is a timeout", async () => {
    const receiver = await receiverWith(() => undefined);
    expect(await post(senderWith({ attemptTimeoutMs: 50 }), receiver.url)).toEqual(failure("timeout"));
  });

  test("each attempt has the timeout of the settings, and its deadline means nothing after the response", async () => {
    const receiver = await receiverWith();
    const { startDeadline, timeoutsMs, pass } = heldDeadlines();
    const sender = senderWith({ attemptTimeoutMs: 1234, startDeadline });
    for (let count = 0; count < 2; count++) expect(await post(sender, receiver.url)).toEqual(DELIVERED);
    pass();
    expect(timeoutsMs).toEqual([1234, 1234]);
  });

  /** The outcome of an attempt whose deadline passes when it has read a text that matches. */
  function overAfter(pattern: RegExp, { url, port }: { readonly url: string; readonly port: number }) {
    const { startDeadline, pass } = heldDeadlines();
    return post(senderWith({ startDeadline, connect: whenRead(port, pattern, pass) }), url);
  }

  test("103 Early Hints and nothing after it is a timeout", async () => {
    const receiver = await receiverWith((_request, response) =>
      response.writeEarlyHints({ link: "</a>; rel=preload" }),
    );
    expect(await overAfter(/ 103 [^]*\r\n\r\n/, receiver)).toEqual(failure("timeout"));
  });

  test("headers that come one byte at a time are a timeout", async () => {
    const server = await listenRaw((socket) => drip(socket, "HTTP/1.1 200 OK\r\nx-slow: ", "y"));
    expect(await overAfter(/x-slow: yy/, server)).toEqual(failure("timeout"));
  });

  test("a body that comes one byte at a time ends at the deadline, with the status and an excerpt", async () => {
    const server = await listenRaw((socket) => drip(socket, "HTTP/1.1 500 No\r\ncontent-length: 999999\r\n\r\n", "y"));
    const outcome = await overAfter(/\r\n\r\nyy/, server);
    expect(outcome).toEqual({ statusCode: 500, error: "http_5xx", responseExcerpt: expect.stringMatching(/^yy+$/) });
  });

  async function namesFrom(answer: AnswerQuestion, timeoutMs: number) {
    const server = await startDnsServer(answer);
    const names = createNameResolver({ servers: [server.address], timeoutMs });
    onTestFinished(async () => {
      names.close();
      await server.close();
    });
    return names;
  }

  test("a name server that never answers is a dns_error", async () => {
    const names = await namesFrom(() => "silence", 50);
    expect(await post(senderWith({}, names.resolve), "http://dead.example")).toEqual(failure("dns_error"));
  });

  test("a name server that never answers does not hold up an attempt to another name", async () => {
    const receiver = await receiverWith();
    const answer: AnswerQuestion = ({ name }) => (name.startsWith("dead") ? "silence" : { addresses: ["127.0.0.1"] });
    const names = await namesFrom(answer, 600_000);
    const sender = senderWith({ connectionsPerOrigin: 1, connect: () => connectTo(receiver.port) }, names.resolve);
    const leaving = new AbortController();
    const dead = post(sender, `http://dead.example:${receiver.port}`, leaving.signal);
    expect(await post(sender, `http://alive.example:${receiver.port}`)).toEqual(DELIVERED);
    leaving.abort(new Error("the test is over"));
    await expect(dead).rejects.toThrow("the test is over");
  });

  test("the deadline of an attempt starts when the name is looked up: a slow name server costs the receiver no time", async () => {
    const receiver = await receiverWith();
    const { promise: addresses, resolve: answer } = Promise.withResolvers<Awaited<ReturnType<Resolve>>>();
    const { startDeadline, timeoutsMs } = heldDeadlines();
    const connect = () => connectTo(receiver.port);
    const sent = post(
      senderWith({ startDeadline, connect }, () => addresses),
      `http://slow.example:${receiver.port}`,
    );
    expect(timeoutsMs).toEqual([]);
    answer([{ address: "127.0.0.1", family: 4 }]);
    expect(await sent).toEqual(DELIVERED);
    expect(timeoutsMs).toHaveLength(1);
  });

  test("a request that gets no look-up slot of its principal is no attempt, and one that is cancelled meanwhile ends", async () => {
    const busy = senderWith({}, failingWith(LOOKUP_SLOTS_BUSY));
    await expect(post(busy, "http://a.example")).rejects.toThrow(SenderBusy);
    const cancelling = new AbortController();
    const waiting = post(
      senderWith({}, () => new Promise(() => undefined)),
      "http://a.example",
      cancelling.signal,
    );
    cancelling.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
  });

  test("a TLS handshake that never ends is a timeout", async () => {
    const { startDeadline, pass } = heldDeadlines();
    const server = await listenRaw((socket) => socket.once("data", pass));
    const url = server.url.replace("http:", "https:");
    expect(await post(senderWith({ startDeadline }), url)).toEqual(failure("timeout"));
  });

  test("an attempt that ended before it had a connection is not sent when there is one", async () => {
    const receiver = await receiverWith();
    const { promise: wanted, resolve: want } = Promise.withResolvers<void>();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const { promise: closed, resolve: close } = Promise.withResolvers<void>();
    const connect = async (): Promise<Socket> => {
      want();
      await opened;
      const socket = await connectTo(receiver.port);
      return socket.once("close", () => close());
    };
    const { startDeadline, pass } = heldDeadlines();
    const over = post(senderWith({ startDeadline, connect }), receiver.url);
    await wanted;
    pass();
    expect(await over).toEqual(failure("timeout"));
    open();
    await closed;
    await until("the receiver has had its connection", () => receiver.connections === 1);
    expect(receiver.requests).toEqual([]);
  });
});

describe("failures of the connection", () => {
  test("a port without a listener is connection_refused, with one address and with two", async () => {
    const receiver = await receiverWith();
    await receiver.close();
    expect(await post(senderWith(), receiver.url)).toEqual(failure("connection_refused"));
    const sender = senderWith({}, bothLoopbacks);
    expect(await post(sender, `http://localhost:${receiver.port}`)).toEqual(failure("connection_refused"));
  });

  test.each([
    ["closes at once", (socket: Socket) => socket.end()],
    ["resets at once", (socket: Socket) => socket.resetAndDestroy()],
    ["resets on the request", (socket: Socket) => socket.once("data", () => socket.resetAndDestroy())],
    ["closes on the request", (socket: Socket) => socket.once("data", () => socket.end())],
    ["closes amid the headers", (socket: Socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nx: "))],
    ["speaks something else", (socket: Socket) => socket.once("data", () => socket.end("220 smtp.example ESMTP\r\n"))],
    ["wants to upgrade", (socket: Socket) => socket.once("data", () => socket.write(SWITCHING))],
    [
      "has endless headers",
      (socket: Socket) => socket.once("data", () => socket.write(`${OK}x: ${"y".repeat(99_999)}`)),
    ],
  ])("a receiver that %s: connection_reset", async (_what, behave) => {
    const server = await listenRaw(behave);
    expect(await post(senderWith(), server.url)).toEqual(failure("connection_reset"));
  });

  test.each(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ENODATA"])("the resolver says %s: dns_error", async (code) => {
    const sender = senderWith({}, failingWith(code));
    expect(await post(sender, "http://gone.example/")).toEqual(failure("dns_error"));
  });

  test("localhost that resolves to ::1 first reaches a receiver that listens on 127.0.0.1 only", async () => {
    const receiver = await receiverWith();
    expect(await post(senderWith({}, bothLoopbacks), `http://localhost:${receiver.port}/`)).toEqual(DELIVERED);
    expect(receiver.requests[0]?.headers.host).toBe(`localhost:${receiver.port}`);
  });
});

describe("TLS", () => {
  const tls = selfSigned("receiver.test");

  test("a certificate of no trusted authority is a tls_error, and no request is sent", async () => {
    const receiver = await receiverWith(undefined, { tls });
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    try {
      expect(await post(senderWith(), `https://receiver.test:${receiver.port}`)).toEqual(failure("tls_error"));
    } finally {
      vi.unstubAllEnvs();
    }
    expect(receiver.requests).toEqual([]);
  });

  test("with `ca` it is delivered: SNI, Host and the check of the certificate use the name", async () => {
    const names: unknown[] = [];
    const receiver = await receiverWith(
      ({ headers }, response) => {
        const { socket } = response;
        names.push(headers.host, socket !== null && "servername" in socket ? socket.servername : null);
        response.writeHead(204).end();
      },
      { tls },
    );
    const sender = senderWith({ ca: tls.cert });
    expect(await post(sender, `https://receiver.test:${receiver.port}`)).toEqual(DELIVERED);
    expect(names).toEqual([`receiver.test:${receiver.port}`, "receiver.test"]);
  });

  test("`ca` is added to the usual authorities", async () => {
    const usual = selfSigned("usual.test");
    const authorities = vi.spyOn(nodeTls, "getCACertificates").mockReturnValue([usual.cert]);
    syncBuiltinESMExports();
    onTestFinished(() => {
      authorities.mockRestore();
      syncBuiltinESMExports();
    });
    const receiver = await receiverWith(undefined, { tls: usual });
    const sender = senderWith({ ca: tls.cert });
    expect(await post(sender, `https://usual.test:${receiver.port}`)).toEqual(DELIVERED);
    expect(authorities).toHaveBeenCalledWith("default");
  });

  test("a certificate for another name is a tls_error", async () => {
    const receiver = await receiverWith(undefined, { tls });
    const sender = senderWith({ ca: tls.cert });
    expect(await post(sender, `https://other.test:${receiver.port}`)).toEqual(failure("tls_error"));
    expect(await post(sender, receiver.url)).toEqual(failure("tls_error"));
    expect(receiver.requests).toEqual([]);
  });

  test("https to a port that speaks http is a tls_error", async () => {
    const receiver = await receiverWith();
    expect(await post(senderWith(), receiver.url.replace("http:", "https:"))).toEqual(failure("tls_error"));
  });
});

describe("what does not come from the receiver is not an outcome", () => {
  test("an abort rejects at once with its reason, before and after the connection", async () => {
    const reason = new Error("shutting down");
    const receiver = await receiverWith(() => undefined);
    const sender = senderWith();
    await expect(post(sender, receiver.url, AbortSignal.abort(reason))).rejects.toBe(reason);

    const shutdown = new AbortController();
    const answered = post(sender, receiver.url, shutdown.signal);
    await receiver.waitFor(1);
    shutdown.abort(reason);
    await expect(answered).rejects.toBe(reason);

    const early = new AbortController();
    const resolving = post(
      senderWith({}, () => new Promise(() => undefined)),
      "http://slow.example",
      early.signal,
    );
    early.abort(reason);
    await expect(resolving).rejects.toBe(reason);
  });

  test("an abort after the status changes nothing: the receiver has acted", async () => {
    const shutdown = new AbortController();
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    const server = await listenRaw((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nand"));
      socket.once("close", resolve);
    });
    const sender = senderWith({
      connect: whenRead(server.port, /and$/, () => shutdown.abort(new Error("shutting down"))),
    });
    const outcome = await post(sender, server.url, shutdown.signal);
    expect(outcome).toEqual({ statusCode: 200, error: null, responseExcerpt: null });
    await cut;
  });

  test("an internal failure rejects", async () => {
    const sender = senderWith();
    const { signal } = new AbortController();
    await expect(post(sender, "ftp://127.0.0.1/")).rejects.toThrow("protocol");
    const badHeader = {
      url: new URL("http://127.0.0.1:1/"),
      principal: "local",
      headers: { "webhook-id": "a\r\nb: c" },
      body: "",
    };
    await expect(sender.send(badHeader, signal)).rejects.toThrow("invalid webhook-id header");
  });

  test("close cuts off requests in flight and connections that are not open yet, and may be called twice", async () => {
    const receiver = await receiverWith(() => undefined);
    const { promise: handshake, resolve: shakeHands } = Promise.withResolvers<void>();
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    const silent = await listenRaw((socket) => {
      socket.once("data", () => shakeHands()).once("close", resolve);
    });
    const sender = senderWith({ attemptTimeoutMs: 60_000 });
    const underWay = [post(sender, receiver.url), post(sender, silent.url.replace("http:", "https:"))];
    const ended = Promise.allSettled(underWay);
    await Promise.all([receiver.waitFor(1), handshake]);
    await sender.close();
    await sender.close();
    expect((await ended).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await cut;
    await expect(post(sender, receiver.url)).rejects.toThrow("destroyed");
  });
});

const OK = "HTTP/1.1 200 OK\r\n";
const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/** On the first data writes `head`, then `byte` again and again until the peer has gone. */
function drip(socket: Socket, head: string, byte: string): void {
  socket.once("data", () => {
    socket.write(head);
    const dripping = setInterval(() => socket.write(byte), 10);
    socket.once("close", () => clearInterval(dripping));
  });
}
