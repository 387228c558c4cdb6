import type { RouterMiddleware } from "@koa/router";
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
      ctx.body = {
        status: "healthy",
        ...common,
        completed_tasks: completedTasks,
        pending_callbacks: pendingCallbacks,
        active_tasks: activeTasks,
        slow_origins: slowOrigins,
        disabled_callbacks: disabledCallbacks,
        timestamp: new Date(clock.now()).toISOString(),
      };
    } catch (error) {
      announce({ kind: "internal.failed", where: "health", error });
      ctx.status = 503;
      ctx.body = { status: "unhealthy", ...common, timestamp: new Date(clock.now()).toISOString() };
    }
  };
}
