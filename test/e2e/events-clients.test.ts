/** MCP Events with the official clients of both SDKs, which know nothing of it: by raw requests. */
import { Client as ModernClient, ProtocolError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { VersionNegotiationMode } from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpError } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { start } from "../support/call-tool.ts";
import { occurrenceIn, startEventsReceiver } from "../support/events-receiver.ts";
import { ask, subscriptionTo } from "../support/mcp-events.ts";
import { shareServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { legacyRequest } from "../mcp/wire.ts";

const CLIENT_INFO = { name: "test-client", version: "0.0.0" };
const anyResult = z.looseObject({});
type Result = z.output<typeof anyResult>;

interface Notified {
  readonly method: string;
  readonly params?: Record<string, unknown> | undefined;
}

interface RawClient {
  readonly protocolVersion: string | undefined;
  readonly capabilities: object | undefined;
  /** Notifications that the client has no handler of its own for. */
  readonly notified: readonly Notified[];
  request(method: string, params?: Record<string, unknown>, signal?: AbortSignal): Promise<Result>;
}

function connectModern(mode?: VersionNegotiationMode) {
  return async (url: string): Promise<RawClient> => {
    const client = new ModernClient(CLIENT_INFO, mode === undefined ? {} : { versionNegotiation: { mode } });
    const notified: Notified[] = [];
    client.fallbackNotificationHandler = async ({ method, params }) => void notified.push({ method, params });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
    onTestFinished(() => client.close());
    return {
      protocolVersion: client.getNegotiatedProtocolVersion(),
      capabilities: client.getServerCapabilities(),
      notified,
      request: (method, params = {}, signal) =>
        client.request({ method, params }, anyResult, signal === undefined ? {} : { signal }),
    };
  };
}

async function connectLegacy(url: string): Promise<RawClient> {
  const client = new LegacyClient(CLIENT_INFO);
  const notified: Notified[] = [];
  client.fallbackNotificationHandler = async ({ method, params }) => void notified.push({ method, params });
  const transport = new LegacyTransport(new URL(`${url}/mcp`));
  await client.connect(transport);
  onTestFinished(() => client.close());
  return {
    protocolVersion: transport.protocolVersion,
    capabilities: client.getServerCapabilities(),
    notified,
    request: (method, params = {}, signal) =>
      client.request({ method, params }, anyResult, signal === undefined ? {} : { signal }),
  };
}

const CLIENTS = [
  { client: "v1", connect: connectLegacy, version: "2025-11-25", rpcError: McpError },
  { client: "v2 as it comes", connect: connectModern(), version: "2025-11-25", rpcError: ProtocolError },
  { client: "v2 that negotiates", connect: connectModern("auto"), version: "2026-07-28", rpcError: ProtocolError },
  {
    client: "v2 pinned to 2026-07-28",
    connect: connectModern({ pin: "2026-07-28" }),
    version: "2026-07-28",
    rpcError: ProtocolError,
  },
];

const shared = shareServer();

describe.each(CLIENTS)("the official client $client", ({ client: name, connect, version, rpcError }) => {
  test("lists, subscribes, polls, follows and unsubscribes; errors arrive with code and data", async () => {
    const server = await shared();
    const client = await connect(server.url);
    expect(client.protocolVersion).toBe(version);
    expect(client.capabilities).toMatchObject({
      extensions: { "io.modelcontextprotocol/events": { listChanged: false } },
    });
    const { events } = await client.request("events/list");
    expect(events).toHaveLength(4);

    const receiver = await startEventsReceiver();
    const subscription = subscriptionTo(receiver.hook);
    const { id } = await client.request("events/subscribe", subscription);
    const leaving = new AbortController();
    const stream = client.request("events/stream", { name: "task_completed" }, leaving.signal);
    await until("the stream is active", () => client.notified.length === 1);
    const { cursor } = await client.request("events/poll", { name: "task_finished", cursor: null });
    await start(server.url, name);
    const [post] = await receiver.waitFor(1);
    await until("the stream has sent the event", () => client.notified.length === 2);
    leaving.abort();
    await expect(stream).rejects.toBeInstanceOf(Error);

    const sent = occurrenceIn(post!);
    expect(post!.headers["x-mcp-subscription-id"]).toBe(id);
    expect(await client.request("events/poll", { name: "task_finished", cursor })).toMatchObject({
      events: [{ eventId: sent.eventId, data: sent.data }],
      truncated: false,
      hasMore: false,
      nextPollMs: expect.any(Number),
    });
    expect(client.notified).toMatchObject([
      { method: "notifications/events/active", params: { cursor: expect.any(String), truncated: false } },
      {
        method: "notifications/events/event",
        params: { eventId: sent.eventId, name: "task_completed", data: sent.data, cursor: expect.any(String) },
      },
    ]);

    await client.request("events/unsubscribe", subscription);
    await client.request("events/unsubscribe", subscription);
    const refused = client.request("events/poll", { name: "task_exploded" });
    await expect(refused).rejects.toBeInstanceOf(rpcError);
    await expect(refused).rejects.toMatchObject({ code: -32011, data: { kind: "event" } });
    await expect(
      client.request("events/subscribe", subscriptionTo("http://127.0.0.1:1/no-listener")),
    ).rejects.toMatchObject({ code: -32015, data: { reason: "connection_refused" } });
    await expect(
      client.request("events/subscribe", { ...subscription, arguments: { task: "t1" } }),
    ).rejects.toMatchObject({ code: -32602, data: { field: "arguments", reason: "undeclared" } });
  });
});

test("both capability keys are declared in both eras, though the v2 client shows one of them only", async () => {
  const server = await shared();
  const both = { events: {}, extensions: { "io.modelcontextprotocol/events": { listChanged: false } } };
  const discovered = await ask(server, "server/discover");
  expect(discovered.result).toMatchObject({ capabilities: both });
  const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLIENT_INFO };
  const initialized = await ask(server, "initialize", initialize, { requestOf: legacyRequest });
  expect(initialized.result).toMatchObject({ capabilities: both });
  const shown = (await connectModern("auto")(server.url)).capabilities;
  expect(shown).toHaveProperty("extensions");
  expect(shown).not.toHaveProperty("events");
});
