// Receives a task's end through the Vercel AI SDK (@ai-sdk/mcp 2.x), and ends. With the server running:
// node examples/ai-sdk-events.mjs
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { createMCPClient, experimental_createMCPEventWebhook } from "@ai-sdk/mcp";

const { MCP_URL = "http://localhost:8011/mcp", MCP_TOKEN } = process.env;
const store = createStore();
const bell = new EventEmitter();
const heard = once(bell, "event");

// 1. The webhook must be up before anything is subscribed: subscribing sends it a challenge, which the handler answers.
const handle = experimental_createMCPEventWebhook({
  store,
  // Resolve once the event is safe with you; throw, and the server sends it again. It may come twice, under the same eventId.
  onEvent: async ({ subscription, event }) => void bell.emit("event", { subscription: subscription.id, ...event }),
  onTerminated: async ({ termination }) => void bell.emit("error", new Error(termination.error.message)),
  onError: console.error,
});
const receiver = createServer((request, response) => void receive(request, response).catch(() => response.destroy()));
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");

// 2. Subscribe, then start a task: ends after the subscription are sent.
const client = await createMCPClient({
  transport: { type: "http", url: MCP_URL, ...(MCP_TOKEN && { headers: { Authorization: `Bearer ${MCP_TOKEN}` } }) },
  experimental_events: { store },
});
const events = client.experimental_events;
const { events: offered } = await events.list();
console.log("offered:", offered.map(({ name }) => name).join(", "));
const taskId = `ai_sdk_${Date.now()}`;
const subscription = await events.subscribe({
  name: "task_finished",
  arguments: { task_id: taskId },
  // A literal loopback address, for trials on one machine; elsewhere an https:// URL, and without allowInsecureLocalhost.
  delivery: {
    mode: "webhook",
    url: `http://127.0.0.1:${receiver.address().port}/events`,
    allowInsecureLocalhost: true,
  },
});
console.log("subscribed:", subscription.id, "until", subscription.refreshBefore);
await client.callTool({
  name: "start_task_with_callbacks",
  arguments: { task_id: taskId, client_id: "ai_sdk" },
});

// 3. The event comes by itself. A subscription that is to last calls events.refresh({ id }) in good time before refreshBefore.
const [{ _meta: _, ...event }] = await heard;
console.log("event:", JSON.stringify(event));
await events.unsubscribe({ id: subscription.id });
await client.close();
receiver.close();
receiver.closeAllConnections();

/** The handler knows a subscription by its URL's query, and verifies the bytes as they came. */
async function receive(request, response) {
  const { method, headers } = request;
  const url = new URL(request.url, `http://${headers.host}`);
  const body = await buffer(request);
  const answer = await handle(new Request(url, { method, headers, ...(body.length > 0 && { body }) }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
}

/** Where the SDK keeps subscriptions, signing secrets included. In production: a private table, one for each server and principal. */
function createStore() {
  const records = new Map();
  return {
    get: async (key) => records.get(key),
    getById: async (id) => [...records.values()].find((record) => record.id === id),
    set: async (record) => void records.set(record.key, record),
    update: async (key, patch) => void (records.has(key) && records.set(key, { ...records.get(key), ...patch })),
    delete: async (key) => void records.delete(key),
  };
}
