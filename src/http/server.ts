import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { StartError } from "../domain/errors.ts";
import type { RequestHandler } from "./gate.ts";

export interface HttpServer {
  readonly port: number;
  /** Takes no new connection, lets the answers under way go out within `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/** Resolves once it listens. Throws a `StartError` when the address cannot be had. */
export async function listen(handle: RequestHandler, host: string, port: number): Promise<HttpServer> {
  const server = createServer((request, response) => void handle(request, response));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error) => reject(asStartError(error, host, port)));
  server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), resolve);
  await promise;
  return { port: (server.address() as AddressInfo).port, stop: (graceMs) => close(server, graceMs) };
}

async function close(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  // What is still being answered would otherwise keep its connection for the next request that cannot come.
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
