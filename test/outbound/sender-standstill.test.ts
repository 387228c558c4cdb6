import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { startTimer } from "../../src/outbound/sender.ts";
import type { StartDeadline } from "../../src/outbound/sender.ts";
import { DELIVERED, failure, listenRaw, post, senderWith } from "../support/sender.ts";

/** On a thread of its own, whatever the test's thread does meanwhile: says its port and each request, and answers when it is told to. */
const RECEIVER = `
  const { parentPort, workerData: { go, answered } } = require("node:worker_threads");
  const server = require("node:http").createServer((request, response) => {
    parentPort.postMessage("request");
    Atomics.wait(go, 0, 0);
    response.on("finish", () => {
      Atomics.store(answered, 0, 1);
      Atomics.notify(answered, 0);
    });
    response.writeHead(204).end();
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;
const DEADLINE_MS = 50;
/** Far more than by how much a timer of a process that goes on may ring late. */
const STANDSTILL_MS = 500;

const aFlag = () => new Int32Array(new SharedArrayBuffer(4));

test("an answer that came in time counts, though our own process stood still past the deadline", async () => {
  const [go, answered, never] = [aFlag(), aFlag(), aFlag()];
  const receiver = new Worker(RECEIVER, { eval: true, workerData: { go, answered } });
  onTestFinished(async () => void (await receiver.terminate()));
  const [port] = (await once(receiver, "message")) as [number];
  let startLate = (): void => undefined;
  let stop = (): void => undefined;
  const startDeadline: StartDeadline = (_ms, ring) => {
    startLate = () => void (stop = startTimer(DEADLINE_MS, ring));
    return () => stop();
  };
  const outcome = post(senderWith({ attemptTimeoutMs: 60_000, startDeadline }), `http://127.0.0.1:${port}/`);
  await once(receiver, "message");
  startLate();
  // The standstill: nothing of this thread runs, no timer and no socket.
  Atomics.store(go, 0, 1);
  Atomics.notify(go, 0);
  expect(Atomics.wait(answered, 0, 0, 60_000)).not.toBe("timed-out");
  Atomics.wait(never, 0, 0, DEADLINE_MS + STANDSTILL_MS);
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
