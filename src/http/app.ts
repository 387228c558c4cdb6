import type { ServerResponse } from "node:http";
import { Router } from "@koa/router";
import Koa from "koa";
import { answerErrors, answerUnknownPaths } from "./error-middleware.ts";
import type { RequestHandler } from "./gate.ts";
import { answerOAuthProbes } from "./routes/oauth-probes.ts";
import { addRoutes } from "./openapi/operation.ts";
import { createOperations } from "./openapi/operations.ts";
import type { OperationsNeeds } from "./openapi/operations.ts";

export interface AppNeeds extends OperationsNeeds {
  /** It knows no Koa: it is given Node's request and response. */
  readonly mcp: RequestHandler;
}

/** All that is served over HTTP. */
export function createApp(needs: AppNeeds): RequestHandler {
  const { mcp } = needs;
  const handle = createKoa(needs).callback();
  return (request, response) => {
    const { url } = request;
    // Nearly all of the traffic, and nothing of what Koa makes for each request is needed.
    if (url === "/mcp" || url === "/mcp/") void mcp(request, response);
    else if (URL.canParse(url ?? "", "http://localhost")) void handle(request, response);
    else refuseTarget(response);
  };
}

function createKoa({ mcp, ...needs }: AppNeeds): Koa {
  const { emit } = needs;
  const app = new Koa();
  const router = new Router();
  addRoutes(router, createOperations(needs));
  app.use(answerErrors(emit));
  app.use(passToMcp(mcp));
  app.use(answerOAuthProbes(needs.principalOf));
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
function passToMcp(mcp: RequestHandler): Koa.Middleware {
  return async (ctx, next) => {
    if (ctx.path !== "/mcp" && ctx.path !== "/mcp/") return next();
    ctx.respond = false;
    // Koa presets 404.
    ctx.res.statusCode = 200;
    await mcp(ctx.req, ctx.res);
  };
}

/** A request target that is no URL, such as `http://[::1`: Koa would throw as soon as anybody asks for its path. */
function refuseTarget(response: ServerResponse): void {
  response.writeHead(400, { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify({ status: "error", message: "The request target is not a valid URL." }));
}
