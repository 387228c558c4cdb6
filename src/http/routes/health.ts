import { z } from "zod";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Health } from "../../service/health.ts";
import type { Operation } from "../openapi/operation.ts";
import { count, isoTime } from "../schemas.ts";

export interface HealthParts {
  readonly health: Health;
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit;
  readonly serverName: string;
}

const TRANSPORT = "HTTP with Webhook Callbacks";
const HEADERS = { "Cache-Control": "no-store", "Content-Type": "application/json; charset=utf-8" };

const healthAnswer = z.object({
  status: z.literal("healthy"),
  server: z.string(),
  transport: z.string(),
  completed_tasks: count,
  pending_callbacks: count,
  active_tasks: count,
  slow_origins: count,
  disabled_callbacks: count,
  timestamp: isoTime,
});
const unhealthyAnswer = z.object({
  status: z.literal("unhealthy"),
  server: z.string(),
  transport: z.string(),
  timestamp: isoTime,
});

/** GET /health. */
export function healthOperation(parts: HealthParts): Operation {
  return {
    method: "get",
    path: "/health",
    id: "health",
    summary: "Health of the server, with counts.",
    responses: {
      200: { description: "The server works.", schema: healthAnswer },
      503: { description: "The database does not answer.", schema: unhealthyAnswer },
    },
    // The body is a string: for an object Koa reads the global `Response`, which makes Node load `fetch`, about 15 ms.
    async handle(ctx) {
      const { status, headers, body } = await healthOf(parts);
      ctx.set({ ...headers });
      ctx.body = body;
      ctx.status = status;
    },
  };
}

interface HealthAnswer {
  readonly status: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The answer of GET /health: 200 with the counts, or 503 when the store does not answer. */
async function healthOf({ health, clock, emit, serverName }: HealthParts): Promise<HealthAnswer> {
  const answer = (status: 200 | 503, word: string, counts: object): HealthAnswer => {
    const timestamp = new Date(clock.now()).toISOString();
    const body = JSON.stringify({ status: word, server: serverName, transport: TRANSPORT, ...counts, timestamp });
    return { status, headers: HEADERS, body };
  };
  try {
    const { completedTasks, pendingCallbacks, disabledCallbacks, activeTasks, openCircuitCount } =
      await health.counts();
    return answer(200, "healthy", {
      completed_tasks: completedTasks,
      pending_callbacks: pendingCallbacks,
      active_tasks: activeTasks,
      slow_origins: openCircuitCount,
      disabled_callbacks: disabledCallbacks,
    });
  } catch (error) {
    emit({ kind: "internal.failed", where: "health", error });
    return answer(503, "unhealthy", {});
  }
}
