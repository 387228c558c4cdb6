import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { startTimer } from "../../src/outbound/deadline.ts";
import type { StartDeadline } from "../../src/outbound/deadline.ts";
import { DELIVERED, failure, listenRaw, post, senderWith } from "../support/sender.ts";

/** A receiver on its own thread: it reports its port and each request, and answers on demand while the thread of the test stands still. */
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
/** Far more than the delay of a timer in a process that runs. */
const STANDSTILL_MS = 500;

const aFlag = () => new Int32Array(new SharedArrayBuffer(4));

test("a response that came in time counts, although this process stood still past the deadline", async () => {
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
  // The standstill: no timer and no socket of this thread runs.
  Atomics.store(go, 0, 1);
  Atomics.notify(go, 0);
  expect(Atomics.wait(answered, 0, 0, 60_000)).not.toBe("timed-out");
  Atomics.wait(never, 0, 0, DEADLINE_MS + STANDSTILL_MS);
  expect(await outcome).toEqual(DELIVERED);
});

test.each(["HTTP/1.1 000 P", "HTTP/1.1 099 P"])(
  "an invalid status line, %j, is recorded as a failure of the receiver",
  async (line) => {
    const server = await listenRaw((socket) =>
      socket.once("data", () => socket.end(`${line}\r\ncontent-length: 0\r\n\r\n`)),
    );
    expect(await post(senderWith(), server.url)).toEqual(failure("connection_reset"));
  },
);
