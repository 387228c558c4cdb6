import type { IncomingMessage, ServerResponse } from "node:http";
import { Router } from "@koa/router";
import Koa from "koa";
import type { z } from "zod";
import { emitWhenAnswered, pathOf } from "./access-log.ts";
import { statusOf } from "./api-error.ts";
import type { apiErrorSchema } from "./api-error.ts";
import { answerErrors, answerUnknownPaths } from "./error-middleware.ts";
import { createOriginPolicy } from "../inbound/origin-policy.ts";
import { refuseOAuth } from "./routes/no-oauth.ts";
import { addRoutes } from "./openapi/operation.ts";
import { createOperations } from "./routes/all-routes.ts";
import type { OperationsParts } from "./routes/all-routes.ts";

/** Answers a request by itself. Never rejects. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface HttpAppParts extends OperationsParts {
  /** Gets Node's request and response: src/mcp does not know Koa. */
  readonly mcp: RequestHandler;
  readonly allowedOrigins: readonly string[];
}

/** The request handler of the whole server. */
export function createHttpApp(parts: HttpAppParts): RequestHandler {
  const handle = createKoa(parts).callback();
  const origins = createOriginPolicy({ ...parts, allowedHosts: [] });
  return (request, response) => {
    const { url = "" } = request;
    const path = pathOf(url);
    emitWhenAnswered(parts, request, response, path);
    // /mcp refuses requests of pages of other origins (mcp/request-guard). Elsewhere such a page may ask, but cannot read the answer.
    if (!isMcp(path) && origins.admitPage(request, response)) return;
    if (URL.canParse(url, "http://localhost")) void handle(request, response);
    else refuseTarget(response);
  };
}

function createKoa({ mcp, ...parts }: HttpAppParts): Koa {
  const { emit } = parts;
  const app = new Koa();
  const router = new Router();
  addRoutes(router, createOperations(parts));
  app.use(passToMcp(mcp));
  app.use(answerErrors(emit));
  app.use(refuseOAuth(parts.principalOf));
  app.use(answerUnknownPaths());
  app.use(router.routes());
  app.use(router.allowedMethods());
  // `answerErrors` logs all errors but those of clients that went away.
  app.silent = true;
  return app;
}

/** Serves both spellings without a redirect: a 301 would turn a POST into a GET. Comes before any middleware that reads the body. */
function passToMcp(mcp: RequestHandler): Koa.Middleware {
  return (ctx, next) => {
    if (!isMcp(ctx.path)) return next();
    ctx.respond = false;
    // Koa's default is 404.
    ctx.res.statusCode = 200;
    return mcp(ctx.req, ctx.res) ?? Promise.resolve();
  };
}

function isMcp(path: string): boolean {
  return path === "/mcp" || path === "/mcp/";
}

/** A request target that is no URL, such as `http://[::1`: Koa would throw when it reads the path. */
function refuseTarget(response: ServerResponse): void {
  const error = { code: "invalid", message: "The request target is not a valid URL." } as const;
  response.writeHead(statusOf(error.code), { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify({ error } satisfies z.input<typeof apiErrorSchema>));
}
