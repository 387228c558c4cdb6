/** The Vercel AI SDK's client and its webhook handler behind a real HTTP server: a client of MCP Events from another project. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createMCPClient, experimental_createMCPEventWebhook } from "@ai-sdk/mcp";
import type {
  Experimental_MCPEvent,
  Experimental_MCPEventControl,
  Experimental_MCPEventStore,
  Experimental_MCPEventSubscription,
  Experimental_MCPEvents,
} from "@ai-sdk/mcp";
import { onTestFinished } from "vitest";
import { portOf } from "./receiver.ts";
import type { SelfSigned } from "./self-signed.ts";
import { until } from "./until.ts";

export interface AiAgent {
  /** What to subscribe with. */
  readonly delivery: { readonly mode: "webhook"; readonly url: string; readonly allowInsecureLocalhost: boolean };
  readonly store: AiStore;
  /** Accepted events, duplicates included. */
  readonly events: readonly AcceptedEvent[];
  readonly terminations: readonly Experimental_MCPEventControl[];
  /** The handler's answer to each request, with the request's headers. */
  readonly answers: readonly HandlerAnswer[];
  /** Resolves once there are so many events. */
  waitForEvents(count: number): Promise<readonly AcceptedEvent[]>;
  connect(options: AiConnectOptions): Promise<Experimental_MCPEvents>;
}
export interface AcceptedEvent {
  readonly subscriptionId: string;
  readonly event: Experimental_MCPEvent;
}
export interface HandlerAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
export interface AiConnectOptions {
  readonly url: string;
  /** False: it begins with `initialize`; true: with `server/discover`. */
  readonly discovers: boolean;
  readonly token?: string;
}

/** An application that receives events through the AI SDK; it ends with the test. */
export async function startAiAgent(tls?: SelfSigned): Promise<AiAgent> {
  const store = new AiStore();
  const events: AcceptedEvent[] = [];
  const terminations: Experimental_MCPEventControl[] = [];
  const answers: HandlerAnswer[] = [];
  const handle = experimental_createMCPEventWebhook({
    store,
    onEvent: async ({ subscription, event }) => void events.push({ subscriptionId: subscription.id, event }),
    onTerminated: async ({ termination }) => void terminations.push(termination),
  });
  const origin = await serve(tls, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const answer = await handle(webRequestOf(origin, request, body));
    answers.push({ status: answer.status, headers: request.headers, body: body.toString() });
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
  return {
    delivery: { mode: "webhook", url: `${origin}/hook`, allowInsecureLocalhost: tls === undefined },
    store,
    events,
    terminations,
    answers,
    async waitForEvents(count) {
      await until(`${count} events are accepted`, () => events.length >= count);
      return events;
    },
    async connect({ url, discovers, token }) {
      const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
      const client = await createMCPClient({
        transport: { type: "http", url: `${url}/mcp`, headers },
        experimental_events: { store },
        protocolVersionDiscovery: discovers,
      });
      onTestFinished(() => client.close());
      return client.experimental_events;
    },
  };
}

/** The private storage that the AI SDK asks its application for. */
export class AiStore implements Experimental_MCPEventStore {
  readonly #records = new Map<string, Experimental_MCPEventSubscription>();
  /** Awaited before an update is carried out: as slow as an application's database may be. */
  beforeUpdate: () => Promise<unknown> = async () => {};

  get records(): readonly Experimental_MCPEventSubscription[] {
    return [...this.#records.values()];
  }
  async get(key: string) {
    return this.#records.get(key);
  }
  async getById(id: string) {
    return this.records.find((record) => record.id === id);
  }
  async set(record: Experimental_MCPEventSubscription) {
    this.#records.set(record.key, record);
  }
  async update(key: string, patch: Partial<Experimental_MCPEventSubscription>) {
    await this.beforeUpdate();
    const record = this.#records.get(key);
    if (record !== undefined) this.#records.set(key, { ...record, ...patch });
  }
  async delete(key: string) {
    this.#records.delete(key);
  }
}

async function serve(
  tls: SelfSigned | undefined,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<string> {
  const listener: RequestListener = (request, response) => void answer(request, response);
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close().closeAllConnections();
    await once(server, "close");
  });
  return tls === undefined ? `http://127.0.0.1:${portOf(server)}` : `https://localhost:${portOf(server)}`;
}

function webRequestOf(origin: string, { method = "", url = "", headers }: IncomingMessage, body: Buffer): Request {
  const given = new Headers();
  for (const [name, value] of Object.entries(headers)) given.set(name, String(value));
  return new Request(origin + url, { method, headers: given, body: new Uint8Array(body) });
}
