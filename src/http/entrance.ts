import type { IncomingMessage, ServerResponse } from "node:http";
import { announceWhenAnswered, pathOf } from "./access-log.ts";
import { createGate } from "./gate.ts";
import type { Gate } from "./gate.ts";
import { healthOf } from "./health.ts";
import type { HealthNeeds } from "./health.ts";

/** What every request passes. The usual question for /health is answered right here; all else waits until the gate is opened. */
export function createEntrance(needs: HealthNeeds): Gate {
  const gate = createGate();
  return {
    ...gate,
    handle(request, response) {
      announceWhenAnswered(needs, request, response, pathOf(request.url));
      return isHealthCheck(request) ? answerHealth(needs, response) : gate.handle(request, response);
    },
  };
}

/** Other ways to ask (HEAD, a query, a slash at the end) are the router's to judge. */
function isHealthCheck({ method, url }: IncomingMessage): boolean {
  return method === "GET" && url === "/health";
}

async function answerHealth(needs: HealthNeeds, response: ServerResponse): Promise<void> {
  const { status, headers, body } = await healthOf(needs);
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
}
