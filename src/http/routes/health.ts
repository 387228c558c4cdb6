import type { Clock } from "../../service/ports/clock.ts";
import type { Health } from "../../service/health.ts";

export interface HealthNeeds {
  readonly health: Health;
  readonly clock: Pick<Clock, "now">;
  readonly serverName: string;
}

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TRANSPORT = "HTTP with Webhook Callbacks";
const HEADERS = { "Cache-Control": "no-store", "Content-Type": "application/json; charset=utf-8" };

/** The answer of GET /health: 200 with the counts, or 503 when the service is not healthy. */
export async function healthOf({ health, clock, serverName }: HealthNeeds): Promise<HealthAnswer> {
  const answer = (status: 200 | 503, word: string, counts: object): HealthAnswer => {
    const timestamp = new Date(clock.now()).toISOString();
    const body = JSON.stringify({ status: word, server: serverName, transport: TRANSPORT, ...counts, timestamp });
    return { status, headers: HEADERS, body };
  };
  try {
    const { completedTasks, pendingCallbacks, disabledCallbacks, activeTasks, slowOrigins } = await health.counts();
    return answer(200, "healthy", {
      completed_tasks: completedTasks,
      pending_callbacks: pendingCallbacks,
      active_tasks: activeTasks,
      slow_origins: slowOrigins,
      disabled_callbacks: disabledCallbacks,
    });
  } catch {
    // The service has reported why.
    return answer(503, "unhealthy", {});
  }
}
