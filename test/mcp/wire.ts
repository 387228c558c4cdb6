/** Requests byte by byte, for those that no client library sends. */
import { request } from "node:http";
import type { OutgoingHttpHeaders } from "node:http";
import { z } from "zod";

export interface WireRequest {
  readonly method?: string;
  readonly path?: string;
  /** Added to the defaults; undefined leaves a default out. */
  readonly headers?: Record<string, string | undefined>;
  readonly body?: string | Buffer;
  /** Sends the body in chunks, without Content-Length. */
  readonly chunked?: boolean;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

const rpcMessage = z.object({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.number(), z.null()]),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() }).optional(),
});

export type RpcAnswer = WireResponse & z.output<typeof rpcMessage>;

const DEFAULT_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

export async function send(port: number, wireRequest: WireRequest): Promise<WireResponse> {
  const { method = "POST", path = "/mcp/", headers = {}, body = "", chunked = false } = wireRequest;
  const { promise, resolve, reject } = Promise.withResolvers<WireResponse>();
  const framing = chunked ? { "transfer-encoding": "chunked" } : { "content-length": String(Buffer.byteLength(body)) };
  const sent: OutgoingHttpHeaders = { ...DEFAULT_HEADERS, ...framing, ...headers };
  for (const name of Object.keys(sent)) if (sent[name] === undefined) delete sent[name];
  const req = request({ host: "127.0.0.1", port, method, path, headers: sent, agent: false }, (res) => {
    const chunks: Buffer[] = [];
    res.on("data", (chunk: Buffer) => chunks.push(chunk));
    res.on("end", () =>
      resolve({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(chunks).toString() }),
    );
    res.on("error", reject);
  });
  req.on("error", reject);
  req.end(body);
  return promise;
}

/** Sends the request and reads the answer as one JSON-RPC message. */
export async function rpc(port: number, wireRequest: WireRequest): Promise<RpcAnswer> {
  const response = await send(port, wireRequest);
  return { ...response, ...rpcMessage.parse(JSON.parse(response.text)) };
}

/** A request as a 2025-11-25 client writes it. */
export function legacyRequest(method: string, params: object = {}): WireRequest {
  return {
    headers: { "mcp-protocol-version": "2025-11-25" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 7, method, params }),
  };
}

/** A request as a 2026-07-28 client writes it. */
export function modernRequest(method: string, params: ModernParams = {}, capabilities: object = {}): WireRequest {
  const { _meta, ...rest } = params;
  const envelope = {
    ..._meta,
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "wire", version: "0" },
    "io.modelcontextprotocol/clientCapabilities": capabilities,
  };
  return {
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      "mcp-name": params.name ?? params.taskId,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 7, method, params: { ...rest, _meta: envelope } }),
  };
}

interface ModernParams {
  readonly name?: string;
  readonly taskId?: string;
  readonly _meta?: object;
  readonly [key: string]: unknown;
}

export const WIRE_VERSIONS = [
  { version: "2025-11-25", requestOf: legacyRequest },
  { version: "2026-07-28", requestOf: modernRequest },
] as const;
