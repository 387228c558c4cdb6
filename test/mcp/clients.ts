/** The public clients of both SDKs behind one interface, so that a test runs with each. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import type { VersionNegotiationMode } from "@modelcontextprotocol/client";
import { AjvJsonSchemaValidator as ModernValidator } from "@modelcontextprotocol/client/validators/ajv";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { AjvJsonSchemaValidator as LegacyValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import { onTestFinished } from "vitest";
import { z } from "zod";

const CLIENT_INFO = { name: "test-client", version: "0.0.0" };

export interface TestClient {
  readonly protocolVersion: string | undefined;
  readonly instructions: string | undefined;
  readonly capabilities: object | undefined;
  readonly serverInfo: object | undefined;
  listTools(): Promise<readonly object[]>;
  /** Rejects with the client's error for a JSON-RPC error. */
  callTool(name: string, given: Record<string, unknown>): Promise<ToolAnswer>;
}

export interface ToolAnswer {
  readonly isError: boolean;
  readonly structured: Record<string, unknown> | undefined;
  /** Of the first text block. A result has only one. */
  readonly text: string;
  /** The error in the second text block; undefined for a result. */
  readonly error: ToolError | undefined;
}

export interface ToolError {
  readonly code: string;
  readonly message: string;
  readonly [key: string]: unknown;
}

export interface ConnectOptions {
  readonly token?: string;
}

export type Connect = (url: string, options?: ConnectOptions) => Promise<TestClient>;

/** The SDKs' validators, shared by all clients of a test file: compiling the schemas of all tools for each client is slow. */
const legacyValidator = compilingOnce(new LegacyValidator());
const modernValidator = compilingOnce(new ModernValidator());

function compilingOnce<Validators extends { getValidator: (schema: never) => unknown }>(own: Validators): Validators {
  const known = new Map<string, unknown>();
  const compile = own.getValidator.bind(own);
  const getValidator = (schema: never): unknown => {
    const text = JSON.stringify(schema);
    if (!known.has(text)) known.set(text, compile(schema));
    return known.get(text);
  };
  return Object.assign(own, { getValidator });
}

/** The v1 SDK's client: 2025-11-25. */
export const connectV1: Connect = async (url, options = {}) => {
  const client = new LegacyClient(CLIENT_INFO, { jsonSchemaValidator: legacyValidator });
  const transport = new LegacyTransport(new URL(url), requestInitOf(options));
  await client.connect(transport);
  onTestFinished(() => client.close());
  return {
    protocolVersion: transport.protocolVersion,
    instructions: client.getInstructions(),
    capabilities: client.getServerCapabilities(),
    serverInfo: client.getServerVersion(),
    listTools: async () => (await client.listTools()).tools,
    callTool: async (name, given) => answerOf(await client.callTool({ name, arguments: given })),
  };
};

/** The v2 SDK's client, which speaks 2025-11-25 by default. */
export function connectV2(mode: VersionNegotiationMode = "legacy"): Connect {
  return async (url, options = {}) => {
    const client = new ModernClient(CLIENT_INFO, {
      versionNegotiation: { mode },
      jsonSchemaValidator: modernValidator,
    });
    await client.connect(new ModernTransport(new URL(url), requestInitOf(options)));
    onTestFinished(() => client.close());
    return {
      protocolVersion: client.getNegotiatedProtocolVersion(),
      instructions: client.getInstructions(),
      capabilities: client.getServerCapabilities(),
      serverInfo: client.getServerVersion(),
      listTools: async () => (await client.listTools()).tools,
      callTool: async (name, given) => answerOf(await client.callTool({ name, arguments: given })),
    };
  };
}

/** One client for each protocol version, for `describe.each`. */
export const VERSIONS: readonly { readonly version: string; readonly connect: Connect }[] = [
  { version: "2025-11-25", connect: connectV1 },
  { version: "2026-07-28", connect: connectV2({ pin: "2026-07-28" }) },
];

function requestInitOf({ token }: ConnectOptions): { requestInit: RequestInit } {
  return { requestInit: token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } } };
}

const textBlock = z.object({ type: z.literal("text"), text: z.string() });
const result = z.object({
  content: z.tuple([textBlock]),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.literal(false).optional(),
});
/** As `errorResult` makes it. */
const errorAnswer = z.object({
  content: z.tuple([textBlock, textBlock]),
  structuredContent: z.undefined().optional(),
  isError: z.literal(true),
});
const toolError = z.strictObject({ error: z.looseObject({ code: z.string(), message: z.string() }) });

function answerOf(answer: object): ToolAnswer {
  const failed = errorAnswer.safeParse(answer);
  if (failed.success) {
    const [sentence, json] = failed.data.content;
    const { error } = toolError.parse(JSON.parse(json.text));
    return { isError: true, structured: undefined, text: sentence.text, error };
  }
  const { content, structuredContent } = result.parse(answer);
  return { isError: false, structured: structuredContent, text: content[0].text, error: undefined };
}
