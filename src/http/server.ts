import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Router } from "@koa/router";
import Koa from "koa";
import { StartError } from "../domain/errors.ts";
import { accessLog, announceWhenAnswered } from "./access-log.ts";
import { answerErrors, answerUnknownPaths } from "./errors.ts";
import { addRoutes } from "./operation.ts";
import { createOperations } from "./operations.ts";
import type { OperationsNeeds } from "./operations.ts";

/** The MCP handler knows no Koa: it is given Node's request and response and answers by itself. Never rejects. */
export type McpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface AppNeeds extends OperationsNeeds {
  readonly mcp: McpHandler;
}

/** Answers a request. */
export type App = (request: IncomingMessage, response: ServerResponse) => void;

/** All that is served over HTTP. */
export function createApp(needs: AppNeeds): App {
  const { mcp } = needs;
  const handle = createKoa(needs).callback();
  return (request, response) => {
    const { url } = request;
    if (url === "/mcp" || url === "/mcp/") {
      // Nearly all of the traffic, and nothing of what Koa makes for each request is needed.
      announceWhenAnswered(needs, request, response, url);
      void mcp(request, response);
    } else if (URL.canParse(url ?? "", "http://localhost")) void handle(request, response);
    else refuseTarget(response);
  };
}

function createKoa({ mcp, ...needs }: AppNeeds): Koa {
  const { announce } = needs;
  const app = new Koa();
  const router = new Router();
  addRoutes(router, createOperations(needs));
  app.use(accessLog(needs));
  app.use(answerErrors(announce));
  app.use(passToMcp(mcp));
  app.use(answerUnknownPaths());
  app.use(router.routes());
  app.use(router.allowedMethods());
  // Everything of interest was announced by answerErrors; what is left is clients that went away.
  app.silent = true;
  return app;
}

/**
 * Those that come with a query, or with the whole URL. Both spellings, without a redirect: a 301 would turn a client's POST into a GET.
 * Before anything reads the body.
 */
function passToMcp(mcp: McpHandler): Koa.Middleware {
  return async (ctx, next) => {
    if (ctx.path !== "/mcp" && ctx.path !== "/mcp/") return next();
    ctx.respond = false;
    // Koa presets 404.
    ctx.res.statusCode = 200;
    await mcp(ctx.req, ctx.res);
  };
}

export interface HttpServer {
  readonly port: number;
  /** Takes no new connection, lets the answers under way go out within `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

/** Resolves once it listens. Throws a `StartError` when the address cannot be had. */
export async function listen(app: App, host: string, port: number): Promise<HttpServer> {
  const server = createServer(app);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error) => reject(asStartError(error, host, port)));
  server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), resolve);
  await promise;
  return { port: (server.address() as AddressInfo).port, stop: (graceMs) => close(server, graceMs) };
}

/** A request target that is no URL, such as `http://[::1`: Koa would throw as soon as anybody asks for its path. */
function refuseTarget(response: ServerResponse): void {
  response.writeHead(400, { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify({ status: "error", message: "The request target is not a valid URL." }));
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
