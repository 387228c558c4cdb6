/**
 * A real HTTP receiver on loopback, one per test:
 *
 *     const receiver = await startReceiver();                 // answers 204 to everything
 *     receiver.respondWith(503, "busy", { "retry-after": "1" });
 *     receiver.respondWith((request, response) => response.destroy());
 *     const [first, second] = await receiver.waitFor(2);      // as soon as two requests are in, these and earlier ones
 *     await receiver.waitFor((request) => request.path === "/hook");
 *     await receiver.close();                                 // cuts open connections
 *
 * Nothing here polls: each complete request makes `waitFor` look again.
 */
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, RequestListener, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Server, Socket } from "node:net";
import { HANG_MS } from "./until.ts";

export interface ReceivedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Epoch milliseconds of its last byte. */
  readonly at: number;
}

/** Called with the complete request; must end the response, or leave it open on purpose. */
export type Handler = (request: ReceivedRequest, response: ServerResponse) => void;

export interface ReceiverOptions {
  /** Default: a free one. Give the port of a closed receiver to let it come back. */
  readonly port?: number;
  /** A loopback address; default 127.0.0.1. */
  readonly host?: string;
  /** PEM; the receiver then speaks https. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface Receiver {
  /** Without a path or a slash at the end: `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  /** Every complete request so far, in the order of arrival. */
  readonly requests: readonly ReceivedRequest[];
  /** TCP connections so far; 0 proves that no connection was opened. */
  readonly connections: number;
  /** From now on. */
  respondWith(handler: Handler): void;
  respondWith(status: number, body?: string, headers?: Readonly<Record<string, string>>): void;
  /** Resolves with all requests once there are `count` of them, or once one matches; rejects after `deadlineMs`. */
  waitFor(wanted: number | Predicate, deadlineMs?: number): Promise<readonly ReceivedRequest[]>;
  /** Resolves when no connection is open: every request of the closed ones is in `requests`. */
  idle(): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}
type Predicate = (request: ReceivedRequest) => boolean;

export async function startReceiver(handler = replying(204), options: ReceiverOptions = {}): Promise<Receiver> {
  const { port = 0, host = "127.0.0.1", tls } = options;
  const requests: ReceivedRequest[] = [];
  const arrivals = new EventEmitter();
  let respond = handler;
  let connections = 0;
  let openConnections = 0;

  const listener = collecting((request, response) => {
    requests.push(request);
    arrivals.emit("request");
    respond(request, response);
  });
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on("connection", (socket: Socket) => {
    connections++;
    openConnections++;
    socket.once("close", () => {
      openConnections--;
      if (openConnections === 0) arrivals.emit("idle");
    });
  });
  server.listen(port, host);
  await once(server, "listening");
  const authority = `${host.includes(":") ? `[${host}]` : host}:${portOf(server)}`;

  return {
    url: `${tls === undefined ? "http" : "https"}://${authority}`,
    port: portOf(server),
    requests,
    get connections() {
      return connections;
    },
    respondWith(answer: Handler | number, body?: string, headers?: Readonly<Record<string, string>>) {
      respond = typeof answer === "function" ? answer : replying(answer, body, headers);
    },
    async waitFor(wanted, deadlineMs = HANG_MS) {
      const signal = AbortSignal.timeout(deadlineMs);
      while (!(typeof wanted === "number" ? requests.length >= wanted : requests.some(wanted))) {
        await once(arrivals, "request", { signal });
      }
      return [...requests];
    },
    async idle() {
      if (openConnections > 0) await once(arrivals, "idle", { signal: AbortSignal.timeout(HANG_MS) });
    },
    close() {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve()).closeAllConnections();
      return closed;
    },
  };
}

function collecting(onRequest: Handler): RequestListener {
  return (message, response) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => {
      const { method = "", url: path = "", headers } = message;
      onRequest({ method, path, headers, body: Buffer.concat(chunks).toString(), at: Date.now() }, response);
    });
  };
}

function replying(status: number, body = "", headers: Readonly<Record<string, string>> = {}): Handler {
  return (_request, response) => response.writeHead(status, headers).end(body);
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server does not listen on a port");
  return address.port;
}
