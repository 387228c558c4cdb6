import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/until.ts";
import { listen } from "../../src/http/server.ts";
import type { HttpServer } from "../../src/http/server.ts";
import type { RequestHandler } from "../../src/http/app.ts";

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

async function serve(
  handle: RequestHandler,
  times?: Parameters<typeof listen>[3],
  limits?: Parameters<typeof listen>[4],
): Promise<HttpServer> {
  const server = await listen(handle, "127.0.0.1", 0, times, limits);
  onTestFinished(() => server.stop(0));
  return server;
}

async function open({ port }: HttpServer): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function answerTo(socket: Socket, request: string): Promise<string> {
  const answered = once(socket, "data");
  socket.write(request);
  return String((await answered)[0]);
}

const sayOk: RequestHandler = (_request, response) => void response.end("ok");

test("requests whose bodies do not arrive make room for a new client", async () => {
  const handle: RequestHandler = (request, response) => {
    if (request.method === "GET") response.end("ok");
  };
  const server = await serve(handle, undefined, { connections: 4, unreadMs: 600_000 });
  const half = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12";
  for (let count = 0; count < 12; count++) (await open(server)).write(half);
  expect(await answerTo(await open(server), GET)).toContain("200 OK");
});

test("an idle connection is kept longer than the 90 seconds of Go's clients, and its header says so", async () => {
  const socket = await open(await serve(sayOk));
  const answer = await answerTo(socket, GET);
  expect(answer).toMatch(/^connection: keep-alive\r$/im);
  const [, seconds] = /^keep-alive: timeout=(\d+)\r$/im.exec(answer) ?? [];
  expect(Number(seconds)).toBeGreaterThan(90);
  expect(await answerTo(socket, GET)).toContain("200 OK");
});

test("a client that asks for Connection: close gets it", async () => {
  const socket = await open(await serve(sayOk));
  socket.write(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const answer = await text(socket);
  expect(answer).toMatch(/^connection: close\r$/im);
  expect(answer).not.toMatch(/^keep-alive:/im);
});

test("stopping does not wait for idle connections, used or not", async () => {
  const server = await serve(sayOk);
  const [used, unused] = [await open(server), await open(server)];
  await answerTo(used, GET);
  const closed = Promise.all([once(used.resume(), "close"), once(unused.resume(), "close")]);
  // The grace is longer than the test.
  await server.stop(3_600_000);
  await closed;
});

test("stopping waits for the answers under way, and no longer", async () => {
  const { promise: asked, resolve: reportAsked } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = await serve(async (_request, response) => {
    reportAsked();
    await released;
    response.end("late");
  });
  const socket = await open(server);
  const answer = text(socket);
  socket.write(GET);
  await asked;
  const stopped = server.stop(3_600_000);
  release();
  expect(await answer).toContain("late");
  await stopped;
});

test("a request that does not arrive in time gets 408, for its head sooner than for its body", async () => {
  const server = await serve((request, response) => void request.resume().once("end", () => response.end()), {
    headersTimeout: 100,
    requestTimeout: 300,
    connectionsCheckingInterval: 20,
  });
  const silent = await open(server);
  const half = await open(server);
  half.write("GET / HTTP/1.1\r\nHost: loc");
  const slow = await open(server);
  slow.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1234");
  const [ofHalf, ofSlow] = await Promise.all([text(half), text(slow), once(silent.resume(), "close")]);
  expect(ofHalf).toMatch(/^HTTP\/1\.1 408 /);
  expect(ofSlow).toMatch(/^HTTP\/1\.1 408 /);
});

test("an answer may take longer than a request may", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = await serve(
    async (request, response) => {
      for await (const _ of request);
      response.write("a");
      await released;
      response.end("b");
    },
    { headersTimeout: 500, requestTimeout: 1000, connectionsCheckingInterval: 20 },
  );
  const waiting = await open(server);
  const answer = text(waiting);
  waiting.write("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  await once(waiting, "data");
  // When Node has found another connection late, it would have found the answered one late too.
  await once((await open(server)).resume(), "close");
  await once((await open(server)).resume(), "close");
  release();
  expect(await answer).toMatch(/a\r\n.*\r\nb\r\n0/s);
});

test("a client that reads nothing of its answer is disconnected, one that waits for its answer is not", async () => {
  const { promise: unread, resolve: reportUnread } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const large = "x".repeat(32 * 1024 * 1024);
  const server = await serve(
    async (request, response) => {
      if (request.url === "/large") return void response.once("close", reportUnread).end(large);
      response.write("a");
      await released;
      response.end("b");
    },
    undefined,
    { connections: 10, unreadMs: 50 },
  );
  const waiting = await open(server);
  const answer = text(waiting);
  waiting.write(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const stalled = await open(server);
  stalled.pause().write(GET.replace("GET /", "GET /large"));
  await unread;
  release();
  expect(await answer).toMatch(/a\r\n.*\r\nb\r\n0/s);
});

test("half-sent heads do not keep a client out: a new connection takes the place of the one that is quiet for longest", async () => {
  const server = await serve(sayOk, undefined, { connections: 4, unreadMs: 10_000 });
  for (let number = 0; number < 20; number++) (await open(server)).write("GET / HTTP/1.1\r\nHost: loc");
  expect(await answerTo(await open(server), GET)).toContain("200 OK");
});

test("connections whose answers are under way keep their places, and further ones are closed", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = await serve(
    async (_request, response) => {
      response.write("a");
      await released;
      response.end("b");
    },
    undefined,
    { connections: 2, unreadMs: 10_000 },
  );
  const closing = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
  const first = await open(server);
  await answerTo(first, closing);
  const second = await open(server);
  await answerTo(second, closing);
  const refused = await open(server);
  await once(refused.resume(), "close");
  const answers = [first, second].map((socket) => text(socket));
  release();
  for (const answer of answers) expect(await answer).toMatch(/b\r\n0/s);
});

test("half-sent requests hold up a stop for a second at most", async () => {
  const server = await serve((request, response) => void request.resume().once("end", () => response.end()));
  const head = await open(server);
  head.write("GET / HTTP/1.1\r\nHost: loc");
  const again = await open(server);
  await answerTo(again, GET);
  again.write("GET / HTTP/1.1\r\nHost: loc");
  const body = await open(server);
  body.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1234");
  await until("the bytes have arrived", () => [head, again, body].every(({ bytesWritten }) => bytesWritten > 0));
  // The grace and the request's own time-out are longer than the test.
  await server.stop(3_600_000);
});
