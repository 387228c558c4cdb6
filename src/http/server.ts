import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { StartError } from "../domain/errors.ts";
import type { RequestHandler } from "./app.ts";

const TIMES: ConnectionTimes = {
  // Longer than clients keep idle connections (Go: 90 s, most clients less): the server must not be the first to close one.
  keepAliveTimeout: 95_000,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5000,
};

const LIMITS: ConnectionLimits = { connections: 3000, unreadMs: 10_000 };

/** In milliseconds, with Node's names. They limit how long a request takes to arrive, not how long its answer takes. */
export interface ConnectionTimes {
  /** How long an idle connection is kept. */
  readonly keepAliveTimeout?: number;
  /** From the first byte of a request, or from the opening of the connection, to the end of the request's head. */
  readonly headersTimeout: number;
  /** To the end of the request's body. */
  readonly requestTimeout: number;
  /** How often Node checks for requests that are late. */
  readonly connectionsCheckingInterval: number;
}

export interface ConnectionLimits {
  /** Connections that are open at once. Node closes further ones at once. */
  readonly connections: number;
  /** How long a client may read nothing of an answer that waits for it. Then it is disconnected. */
  readonly unreadMs: number;
}

export interface HttpServer {
  readonly port: number;
  /** Accepts no new connection, waits up to `graceMs` for the answers under way, then closes all connections. */
  stop(graceMs: number): Promise<void>;
}

/** Resolves when the server listens. Throws a `StartError` when the address is not available. */
export async function listen(
  handle: RequestHandler,
  host: string,
  port: number,
  times: ConnectionTimes = TIMES,
  limits: ConnectionLimits = LIMITS,
): Promise<HttpServer> {
  const server = createServer(times, (request, response) => {
    disconnectUnread(response, limits.unreadMs);
    void handle(request, response);
  });
  server.maxConnections = limits.connections;
  const silent = trackSilent(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error) => reject(asStartError(error, host, port)));
  server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), resolve);
  await promise;
  return { port: (server.address() as AddressInfo).port, stop: (graceMs) => close(server, silent, graceMs) };
}

/**
 * A client that does not read keeps its answers in memory. Node's timeout of a socket begins again with each byte that is read or written,
 * so it comes only when the client takes nothing. An answer that has nothing to write, such as a stream between two events, may wait.
 */
function disconnectUnread(response: ServerResponse, unreadMs: number): void {
  response.setTimeout(unreadMs).on("timeout", (socket: Socket) => {
    if (socket.writableLength > 0) socket.destroy();
  });
}

/** Connections without a request so far: clients open some ahead. Node counts them as busy, so `closeIdleConnections` keeps them. */
function trackSilent(server: Server): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  server.on("request", ({ socket }) => connections.delete(socket));
  return connections;
}

async function close(server: Server, silent: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  for (const socket of silent) if (socket.bytesRead === 0) socket.destroy();
  // So that a connection whose request is still being answered closes after that answer.
  server.keepAliveTimeout = 1;
  server.keepAliveTimeoutBuffer = 0;
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearTimeout(timer);
}

function asStartError(error: Error, host: string, port: number): Error {
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE")
    return new StartError(
      `Port ${port} on ${host} is taken; stop the program that uses it, or set PORT (0 picks a free one).`,
    );
  if (code === "EACCES")
    return new StartError(`Port ${port} on ${host} may not be used by this user; set PORT to one above 1023.`);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new StartError(`HOST=${host} is no address of this machine; set HOST to 127.0.0.1 or 0.0.0.0.`);
  }
  return error;
}
