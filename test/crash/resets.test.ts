import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { register, settledDelivery, start } from "../support/call-tool.ts";
import { portOf } from "../support/receiver.ts";
import { shareServer } from "../support/server.ts";

const RESETS = 2;

/** Accepts connections, resets the first ones with `reset`, and answers 200 on the later ones. Returns its URL and the number of connections. */
async function startResetting(reset: (socket: Socket) => void) {
  let connections = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    connections++;
    if (connections <= RESETS) reset(socket);
    else socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${portOf(server)}/hook`, connections: () => connections };
}

const shared = shareServer(() => ({ env: { RETRY_SCHEDULE_MS: "50,50,50" } }));

test.each<[string, (socket: Socket) => void]>([
  ["at once", (socket) => socket.resetAndDestroy()],
  ["when it has read the request", (socket) => socket.once("data", () => socket.resetAndDestroy())],
  ["by closing without an answer", (socket) => socket.once("data", () => socket.end())],
  [
    "in the middle of the status line",
    (socket) => socket.once("data", () => socket.write("HTTP/1.1 20", () => socket.resetAndDestroy())),
  ],
])("a receiver that accepts and resets %s: each attempt is recorded, and the next one made", async (when, reset) => {
  const receiver = await startResetting(reset);
  const server = await shared();
  await register(server.url, when, "c1", receiver.url);
  await start(server.url, when);
  expect(await settledDelivery(server.url, when)).toMatchObject({
    status: "delivered",
    attempts: [
      { number: 1, status_code: null, error: "connection_reset" },
      { number: 2, status_code: null, error: "connection_reset" },
      { number: 3, status_code: 200, error: null },
    ],
  });
  expect(receiver.connections()).toBe(RESETS + 1);
});
