import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { DELIVERED, failure, listenRaw, post, senderWith } from "../support/sender.ts";

/** Answers after 50 ms on a thread of its own, whatever the test's thread does meanwhile; says its port, then each request. */
const RECEIVER = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:http").createServer((request, response) => {
    parentPort.postMessage("request");
    setTimeout(() => response.writeHead(204).end(), 50);
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

test("an answer that came in time counts, though our own process stood still past the deadline", async () => {
  const receiver = new Worker(RECEIVER, { eval: true });
  onTestFinished(async () => void (await receiver.terminate()));
  const [port] = (await once(receiver, "message")) as [number];
  const outcome = post(senderWith({ attemptTimeoutMs: 400 }), `http://127.0.0.1:${port}/`);
  await once(receiver, "message");
  // The standstill: nothing of this thread runs, no timer and no socket.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
  expect(await outcome).toEqual(DELIVERED);
});

test.each(["HTTP/1.1 000 P", "HTTP/1.1 099 P"])(
  "a status line that is none, %j, is the receiver's fault and recorded",
  async (line) => {
    const server = await listenRaw((socket) =>
      socket.once("data", () => socket.end(`${line}\r\ncontent-length: 0\r\n\r\n`)),
    );
    expect(await post(senderWith(), server.url)).toEqual(failure("connection_reset"));
  },
);
