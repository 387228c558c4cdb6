import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { readRequestBody } from "../../src/inbound/request-body.ts";
import { until } from "../support/until.ts";

const MEBIBYTE = 1024 * 1024;

async function serveBodies() {
  const kinds: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { kind } = await readRequestBody(request);
    kinds.push(kind);
    response.end(kind);
  };
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  /** Sends so many of the bytes that it announces. */
  async function post(announced: number, sent: number): Promise<Socket> {
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${announced}\r\n\r\n`);
    if (!socket.write(Buffer.alloc(sent))) await Promise.race([once(socket, "drain"), once(socket, "close")]);
    return socket;
  }
  return { post, kinds };
}

test("bodies that are still arriving hold 64 MiB together: the first of 100 half-sent ones are disconnected, and a whole one is read", async () => {
  const { post, kinds } = await serveBodies();
  const slow: Socket[] = [];
  for (let number = 0; number < 100; number++) slow.push(await post(MEBIBYTE, MEBIBYTE - 1));
  await until("the first are disconnected", () => slow.slice(0, 35).every(({ destroyed }) => destroyed));
  expect(slow.slice(40).some(({ destroyed }) => destroyed)).toBe(false);
  expect(await text(await post(MEBIBYTE, MEBIBYTE))).toMatch(/bytes$/);
  for (const socket of slow) socket.destroy();
  await until("all have ended", () => kinds.length === 101);
  expect(kinds.filter((kind) => kind === "bytes")).toHaveLength(1);
});
