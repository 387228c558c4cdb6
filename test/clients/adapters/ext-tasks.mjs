/** The official client of the Tasks extension, over the v2 SDK: every call may become a task, whose end it then waits for. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient, resultFromTaskOutcome } from "@modelcontextprotocol/ext-tasks/client";

const PROTOCOL_VERSION = "2026-07-28";
const CLIENT_INFO = { name: "client-matrix", version: "0.0.0" };
const CAPABILITIES = { extensions: { "io.modelcontextprotocol/tasks": {} } };
let requests = 0;

export async function connect({ url, headers }) {
  const client = new Client(CLIENT_INFO, {
    capabilities: CAPABILITIES,
    versionNegotiation: { mode: { pin: PROTOCOL_VERSION } },
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  const session = createTaskSessionFromClient(client, {
    endpointId: "client-matrix",
    rawDispatch: (request, options) => dispatch(url, headers, request, options),
    v2RequestFraming: { protocolVersion: PROTOCOL_VERSION, clientInfo: CLIENT_INFO, clientCapabilities: CAPABILITIES },
  });
  return {
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    async callTool(name, given) {
      const execution = await session.callTool(name, given);
      const { outcome } = await execution.settle();
      return { ...resultFromTaskOutcome(outcome), ranAs: execution.kind };
    },
    async close() {
      await session.close();
      await client.close();
    },
  };
}

/** What the package leaves to its host: one framed request as a POST, and what was answered. */
async function dispatch(url, headers, { method, params }, { signal } = {}) {
  const named = params.name ?? params.taskId;
  const response = await fetch(url, {
    method: "POST",
    headers: {
      ...headers,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": PROTOCOL_VERSION,
      "mcp-method": method,
      ...(named === undefined ? {} : { "mcp-name": named }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++requests, method, params }),
    signal: signal ?? null,
  });
  const { result, error } = await response.json();
  return error === undefined ? { kind: "result", result } : { kind: "error", error };
}
