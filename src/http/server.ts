import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
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

/** After the beginning of a stop: how long it waits for a request that has not arrived completely. */
const ARRIVAL_MS = 1000;

const LIMITS: ConnectionLimits = { connections: 3000, unreadMs: 10_000 };
/** The access log, the SDKs and a stream listen for "close" of one response. Node warns of a leak at the eleventh listener. */
const RESPONSE_LISTENERS_MAX = 20;

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
  /** Connections that are open at once. One more takes the place of the one that has been without a request for the longest time, if any. */
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
  const connections = trackConnections(server, limits.connections);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error) => reject(asStartError(error, host, port)));
  server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), resolve);
  await promise;
  return { port: (server.address() as AddressInfo).port, stop: (graceMs) => close(server, connections, graceMs) };
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

/** The newest request of each open connection; null: it has none, or the last one is answered. Those that were quiet for longest come first. */
type Connections = Map<Socket, IncomingMessage | null>;

/** Makes room when the limit is reached. So connections that send nothing, half a head or half a body keep no other client out. */
function trackConnections(server: Server, connectionsMax: number): Connections {
  const connections: Connections = new Map();
  const put = (socket: Socket, request: IncomingMessage | null): void => {
    if (connections.delete(socket)) connections.set(socket, request);
  };
  server.on("connection", (socket) => {
    if (connections.size + 1 >= connectionsMax) firstToClose(connections)?.destroy();
    connections.set(socket, null);
    socket.once("close", () => connections.delete(socket));
  });
  server.on("request", (request, response) => {
    const { socket } = request;
    put(socket, request);
    response.setMaxListeners(RESPONSE_LISTENERS_MAX);
    response.once("close", () => connections.get(socket) === request && put(socket, null));
  });
  return connections;
}

/** The connection without a request that was quiet for longest; if there is none, the oldest whose request has not arrived. */
function firstToClose(connections: Connections): Socket | null {
  for (const [socket, request] of connections) if (request === null) return socket;
  for (const [socket, request] of connections) if (request?.complete === false) return socket;
  return null;
}

async function close(server: Server, connections: Connections, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  // Clients open some connections ahead. Node counts those as busy, so `closeIdleConnections` keeps them.
  for (const socket of connections.keys()) if (socket.bytesRead === 0) socket.destroy();
  // So that a connection whose request is still being answered closes after that answer.
  server.keepAliveTimeout = 1;
  server.keepAliveTimeoutBuffer = 0;
  const arrival = setTimeout(() => {
    for (const [socket, request] of connections) if (request?.complete !== true) socket.destroy();
  }, ARRIVAL_MS);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearTimeout(arrival);
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
