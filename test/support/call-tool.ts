import { until } from "./until.ts";

/** A tool call as plain JSON-RPC over HTTP: for tests that are about something else than MCP. */
export async function callTool<Answer = Record<string, unknown>>(
  url: string,
  name: string,
  args: object,
  token?: string,
): Promise<Answer> {
  const response = await fetch(`${url}/mcp/`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } }),
  });
  const { result, error } = (await response.json()) as { result?: { content: { text: string }[] }; error?: unknown };
  if (result === undefined) throw new Error(`${name} answered ${response.status} ${JSON.stringify(error)}`);
  // The JSON of an error comes after its sentence.
  return JSON.parse(result.content.at(-1)!.text) as Answer;
}

export interface HistoryAnswer {
  readonly callback_count: number;
  readonly callbacks: readonly {
    readonly callback_id: string;
    readonly client_id: string;
    readonly status: string;
    readonly deliveries: readonly {
      readonly delivery_id: string;
      readonly event_id: string;
      readonly event: string;
      readonly status: string;
      readonly attempt_count: number;
      readonly next_attempt_at: string | null;
      readonly reason?: string;
      readonly attempts: readonly {
        readonly number: number;
        readonly started_at: string;
        readonly duration_ms: number;
        readonly status_code: number | null;
        readonly error: string | null;
      }[];
    }[];
  }[];
}

export const register = (url: string, taskId: string, clientId: string, callbackUrl: string) =>
  callTool(url, "register_callback", { task_id: taskId, client_id: clientId, callback_url: callbackUrl });

export const start = (url: string, taskId: string, clientId = "starter") =>
  callTool(url, "start_task_with_callbacks", { task_id: taskId, client_id: clientId });

/** All of it, as far as one page goes. */
export const history = (url: string, taskId: string) =>
  callTool<HistoryAnswer>(url, "get_registered_callbacks", { task_id: taskId, limit: 1000 });

type DeliveryAnswer = HistoryAnswer["callbacks"][number]["deliveries"][number];

/** The first delivery of the task's first callback, once it is delivered or given up. */
export const settledDelivery = (url: string, taskId: string): Promise<DeliveryAnswer> =>
  until(`the delivery of ${taskId} is settled`, async () => {
    const delivery = (await history(url, taskId)).callbacks[0]?.deliveries[0];
    return delivery !== undefined && ["delivered", "exhausted"].includes(delivery.status) ? delivery : null;
  });
