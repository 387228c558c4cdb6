import type { IncomingMessage, ServerResponse } from "node:http";
import { createOriginPolicy } from "../runtime/origin-policy.ts";
import { emitWhenAnswered, pathOf } from "./access-log.ts";
import { createGate } from "./gate.ts";
import type { Gate } from "./gate.ts";
import { healthOf } from "./routes/health.ts";
import type { HealthNeeds } from "./routes/health.ts";

export interface EntranceNeeds extends HealthNeeds {
  readonly allowedOrigins: readonly string[];
}

/** What every request passes. The usual question for /health is answered right here; all else waits until the gate is opened. */
export function createEntrance(needs: EntranceNeeds): Gate {
  const gate = createGate();
  const origins = createOriginPolicy({ ...needs, allowedHosts: [] });
  return {
    ...gate,
    handle(request, response) {
      const path = pathOf(request.url);
      emitWhenAnswered(needs, request, response, path);
      // MCP judges by itself, and sooner than anything else. Elsewhere a page of any other origin is what it was: it may ask, not read.
      if (!isMcp(path) && origins.admitPage(request, response)) return;
      return isHealthCheck(request) ? answerHealth(needs, response) : gate.handle(request, response);
    },
  };
}

function isMcp(path: string): boolean {
  return path === "/mcp" || path === "/mcp/";
}

/** Other ways to ask (HEAD, a query, a slash at the end) are the router's to judge. */
function isHealthCheck({ method, url }: IncomingMessage): boolean {
  return method === "GET" && url === "/health";
}

async function answerHealth(needs: HealthNeeds, response: ServerResponse): Promise<void> {
  const { status, headers, body } = await healthOf(needs);
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
}
