import type { RouterContext, RouterMiddleware } from "@koa/router";
import type { Announce } from "../service/announcements.ts";
import type { Clock } from "../service/ports.ts";
import type { Health } from "../service/health.ts";

export interface HealthNeeds {
  readonly health: Health;
  readonly clock: Pick<Clock, "now">;
  readonly announce: Announce;
  readonly serverName: string;
}

const TRANSPORT = "HTTP with Webhook Callbacks";

/** GET /health: 200 with the counts, 503 when the store does not answer. */
export function answerHealth({ health, clock, announce, serverName }: HealthNeeds): RouterMiddleware {
  return async (ctx) => {
    ctx.set("Cache-Control", "no-store");
    const common = { server: serverName, transport: TRANSPORT };
    try {
      const { completedTasks, pendingCallbacks, disabledCallbacks, activeTasks, slowOrigins } = await health.counts();
      answer(ctx, {
        status: "healthy",
        ...common,
        completed_tasks: completedTasks,
        pending_callbacks: pendingCallbacks,
        active_tasks: activeTasks,
        slow_origins: slowOrigins,
        disabled_callbacks: disabledCallbacks,
        timestamp: new Date(clock.now()).toISOString(),
      });
    } catch (error) {
      announce({ kind: "internal.failed", where: "health", error });
      ctx.status = 503;
      answer(ctx, { status: "unhealthy", ...common, timestamp: new Date(clock.now()).toISOString() });
    }
  };
}

/** As text: Koa asks of any other body whether it is a `Response`, for which Node loads its `fetch`, some 15 ms before the first answer. */
function answer(ctx: RouterContext, body: object): void {
  ctx.type = "json";
  ctx.body = JSON.stringify(body);
}
