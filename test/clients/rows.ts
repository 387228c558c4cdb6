/**
 * The clients that the server is driven with, one a row. The next client is one row here, an adapter beside the others, and its package in
 * package.json: see README.md.
 */
import type { ErrorName } from "./errors.ts";

export interface Row {
  /** The name that its makers use, with what is special about this row. */
  readonly client: string;
  /** The package's name in node_modules; its version stands in package.json here, or in the project's. */
  readonly package: string;
  /** A file in adapters/. */
  readonly adapter: string;
  /** For the adapter. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The `MCP-Protocol-Version` of its requests, once it has connected. */
  readonly speaks: string;
  /** Set when the client runs `run_task` as a task of the protocol, whose end it waits for by itself. */
  readonly runsTaskAs?: "task";
  /** What it shows of an error where that is not the server's own sentence. */
  readonly shows?: Partial<Readonly<Record<ErrorName, string>>>;
}

/** For clients that offer the server's tools as their own: a tool that is not listed cannot be called. */
const NOT_OFFERED = { "unknown tool": "not offered: " } as const;

export const ROWS: readonly Row[] = [
  {
    client: "MCP SDK v1, the oldest with Streamable HTTP",
    package: "sdk-v1-oldest",
    adapter: "sdk-v1",
    options: { package: "sdk-v1-oldest" },
    speaks: "not said",
  },
  { client: "MCP SDK v1", package: "@modelcontextprotocol/sdk", adapter: "sdk-v1", speaks: "2025-11-25" },
  {
    client: "MCP SDK v2 as it comes",
    package: "@modelcontextprotocol/client",
    adapter: "sdk-v2",
    speaks: "2025-11-25",
  },
  {
    client: "MCP SDK v2 that negotiates",
    package: "@modelcontextprotocol/client",
    adapter: "sdk-v2",
    options: { mode: "auto" },
    speaks: "2026-07-28",
  },
  {
    client: "MCP SDK v2 pinned to 2026-07-28",
    package: "@modelcontextprotocol/client",
    adapter: "sdk-v2",
    options: { mode: { pin: "2026-07-28" } },
    speaks: "2026-07-28",
  },
  {
    client: "MCP Tasks client",
    package: "@modelcontextprotocol/ext-tasks",
    adapter: "ext-tasks",
    speaks: "2026-07-28",
    runsTaskAs: "task",
  },
  {
    client: "MCP Inspector's command line",
    package: "@modelcontextprotocol/inspector",
    adapter: "inspector",
    speaks: "2025-11-25",
    shows: { "unknown tool": "Tool 'no_such_tool' not found on server." },
  },
  {
    client: "MCP Inspector's command line, modern era",
    package: "@modelcontextprotocol/inspector",
    adapter: "inspector",
    options: { era: "modern" },
    speaks: "2026-07-28",
    shows: { "unknown tool": "Tool 'no_such_tool' not found on server." },
  },
  { client: "AI SDK", package: "@ai-sdk/mcp", adapter: "ai-sdk", speaks: "2026-07-28", shows: NOT_OFFERED },
  {
    client: "AI SDK that does not discover",
    package: "@ai-sdk/mcp",
    adapter: "ai-sdk",
    options: { protocolVersionDiscovery: false },
    speaks: "2025-11-25",
    shows: NOT_OFFERED,
  },
  { client: "mcp-remote", package: "mcp-remote", adapter: "mcp-remote", speaks: "2025-11-25" },
  { client: "mcporter", package: "mcporter", adapter: "mcporter", speaks: "2025-11-25" },
  {
    client: "LangChain",
    package: "@langchain/mcp-adapters",
    adapter: "langchain",
    speaks: "2025-11-25",
    shows: {
      ...NOT_OFFERED,
      "unknown argument": "Received tool input did not match expected schema",
      "missing argument": "Received tool input did not match expected schema",
    },
  },
  {
    client: "OpenAI Agents",
    package: "@openai/agents",
    adapter: "openai-agents",
    speaks: "2026-07-28",
    shows: NOT_OFFERED,
  },
  {
    client: "Mastra",
    package: "@mastra/mcp",
    adapter: "mastra",
    speaks: "2026-07-28",
    shows: {
      ...NOT_OFFERED,
      "unknown argument": "must NOT have additional properties",
      "missing argument": "must have required property 'task_id'",
    },
  },
  { client: "TanStack AI", package: "@tanstack/ai-mcp", adapter: "tanstack", speaks: "2025-11-25", shows: NOT_OFFERED },
];
