/** Real senders with real receivers on loopback; whatever is started here ends with the test that started it. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { onTestFinished } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import type { Resolve } from "../../src/outbound/address-guard.ts";
import { createSender } from "../../src/outbound/sender.ts";
import type { Sender } from "../../src/service/ports/sender.ts";
import type { SenderNeeds } from "../../src/outbound/sender.ts";
import type { AttemptError, Outcome } from "../../src/domain/attempt.ts";
import { portOf, startReceiver } from "./receiver.ts";
import type { Handler, Receiver, ReceiverOptions } from "./receiver.ts";
import { resolvingTo } from "./resolve.ts";

/** What the default answer of a receiver comes to. */
export const DELIVERED: Outcome = { statusCode: 204, error: null, responseExcerpt: null };

export function failure(error: AttemptError): Outcome {
  return { statusCode: null, error, responseExcerpt: null };
}

/** May go to loopback only, where every name resolves to unless `resolve` says otherwise. */
export function senderWith(settings: Partial<SenderNeeds> = {}, resolve: Resolve = resolvingTo("127.0.0.1")) {
  const guard = createAddressGuard({ allow: "loopback", resolve });
  const defaults = { guard, attemptTimeoutMs: 60_000, connectionsPerOrigin: 2, userAgent: "mcp-callbacks/test" };
  const sender = createSender({ ...defaults, ...settings });
  onTestFinished(() => sender.close());
  return sender;
}

export function post(sender: Sender, url: string, signal = new AbortController().signal): Promise<Outcome> {
  return sender.send({ url: new URL(url), principal: "local", headers: {}, body: '{"hello":"wörld"}' }, signal);
}

export async function receiverWith(handler?: Handler, options?: ReceiverOptions): Promise<Receiver> {
  const receiver = await startReceiver(handler, options);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A TCP listener that says what it likes, HTTP or not. */
export async function listenRaw(onConnection: (socket: Socket) => void): Promise<{ url: string; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // A receiver that misbehaves is reset by the sender, which is as it should be.
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return { url: `http://127.0.0.1:${portOf(server)}`, port: portOf(server) };
}
