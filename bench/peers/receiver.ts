/**
 * Receives POSTs with as little work as possible: a socket server that parses as much of HTTP/1.1 as it needs. Node's HTTP server would use
 * a whole core at these rates, and so limit what is measured.
 */
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";
import { serveParent } from "../conversation.ts";
import type { Listeners, Span } from "../receiver.ts";
import { monotonicMs, wallMs } from "../statistics.ts";

interface Expected {
  readonly ports: ReadonlySet<number>;
  readonly total: number;
  readonly delays: number[];
  count: number;
  first: number;
  readonly done: PromiseWithResolvers<Span>;
}

const END_OF_HEAD = "\r\n\r\n";

let expected: Expected = expect({ ports: [], total: 0 });

serveParent({
  open,
  release,
  expect: (next: { ports: readonly number[]; total: number }) => {
    expected = expect(next);
  },
  reached: () => expected.done.promise,
  delays: () => expected.delays,
});

function expect({ ports, total }: { ports: readonly number[]; total: number }): Expected {
  return { ports: new Set(ports), total, delays: [], count: 0, first: 0, done: Promise.withResolvers<Span>() };
}

/** By port: the sockets that wait for a response of a listener that hangs. Null: it responds from now on. */
const unanswered = new Map<number, Socket[] | null>();
const NO_CONTENT = "HTTP/1.1 204 No Content\r\n\r\n";

async function open({ count, delayMs = 0, status = 204 }: Listeners): Promise<string[]> {
  const answer = status === 204 ? NO_CONTENT : `HTTP/1.1 ${status} -\r\ncontent-length: 0\r\n\r\n`;
  const respond = (socket: Socket): void => {
    if (delayMs === null) hang(socket);
    else if (delayMs === 0) socket.write(answer);
    else setTimeout(() => socket.writable && socket.write(answer), delayMs);
  };
  const origins = [];
  for (let index = 0; index < count; index++) {
    const server = createServer((socket) => serve(socket, respond)).listen(0, "127.0.0.1");
    await once(server, "listening");
    origins.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  return origins;
}

function hang(socket: Socket): void {
  const port = socket.localPort ?? 0;
  const held = unanswered.get(port);
  if (held === null) socket.write(NO_CONTENT);
  else unanswered.set(port, [...(held ?? []), socket]);
}

/** The listeners at these ports send all responses that are waiting, and respond at once from now on. */
function release(ports: readonly number[]): void {
  for (const port of ports) {
    for (const socket of unanswered.get(port) ?? []) if (socket.writable) socket.write(NO_CONTENT);
    unanswered.set(port, null);
  }
}

function serve(socket: Socket, respond: (socket: Socket) => void): void {
  const port = socket.localPort ?? 0;
  let unread: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    for (let size = sizeOfFirst(unread); size !== null && size <= unread.length; size = sizeOfFirst(unread)) {
      arrived(port, unread.subarray(0, size));
      unread = unread.subarray(size);
      respond(socket);
    }
  });
}

/** The bytes of head and body. Null while the head is incomplete. */
function sizeOfFirst(bytes: Buffer): number | null {
  const end = bytes.indexOf(END_OF_HEAD);
  if (end === -1) return null;
  const length = /content-length: *(\d+)/i.exec(bytes.toString("latin1", 0, end))?.[1] ?? "0";
  return end + END_OF_HEAD.length + Number(length);
}

function arrived(port: number, request: Buffer): void {
  if (!expected.ports.has(port)) return;
  const now = monotonicMs();
  if (expected.count === 0) expected.first = now;
  expected.count++;
  // Only the latency scenario measures single requests, and it waits for few of them.
  if (expected.total <= 2000) noteDelay(request);
  if (expected.count === expected.total) expected.done.resolve({ first: expected.first, last: now });
}

/** From the time in the body to now. */
function noteDelay(request: Buffer): void {
  const now = wallMs();
  const completedAt = /"completed_at":"([^"]+)"/.exec(request.toString("latin1"))?.[1];
  if (completedAt !== undefined) expected.delays.push(now - Date.parse(completedAt));
}
