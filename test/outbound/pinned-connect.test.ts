import { getEventListeners } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { createOpenSocket } from "../../src/outbound/pinned-connect.ts";
import { listenRaw, post, receiverWith, senderWith } from "../support/sender.ts";

const LOOPBACK = [{ address: "127.0.0.1", family: 4 }] as const;
const CONNECT_MS = 60_000;

test("bug: every open connection listened to one signal, so that the cost of a new one grew with their number", async () => {
  const { port } = await listenRaw(() => undefined);
  const closing = new AbortController();
  const open = createOpenSocket({ signal: closing.signal });
  const target = { hostname: "127.0.0.1", host: `127.0.0.1:${port}`, protocol: "http:", port: String(port) };
  const sockets = await Promise.all(Array.from({ length: 20 }, () => open(target, LOOPBACK, CONNECT_MS)));
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  expect(getEventListeners(closing.signal, "abort").length).toBe(1);
  closing.abort();
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual(sockets.map(() => false));
});

test("bug: a connection was made after close, when its name had been looked up meanwhile", async () => {
  const connected = vi.fn<() => void>();
  const { port } = await listenRaw(connected);
  const closing = new AbortController();
  const open = createOpenSocket({ signal: closing.signal });
  closing.abort(new Error("closed"));
  const target = { hostname: "127.0.0.1", host: `127.0.0.1:${port}`, protocol: "http:", port: String(port) };
  await expect(open(target, LOOPBACK, CONNECT_MS)).rejects.toThrow("closed");
  expect(connected).not.toHaveBeenCalled();
});

test("bug: every request in flight listened to one signal, so that the cost of a new one grew with their number", async () => {
  const receiver = await receiverWith(() => undefined);
  const stopping = new AbortController();
  const sender = senderWith({ attemptTimeoutMs: 60_000, connectionsPerOrigin: 20 });
  const posts = Promise.allSettled(Array.from({ length: 20 }, () => post(sender, receiver.url, stopping.signal)));
  await receiver.waitFor(20);
  expect(getEventListeners(stopping.signal, "abort").length).toBe(1);
  stopping.abort(new Error("we stop"));
  expect((await posts).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => "rejected"));
});
