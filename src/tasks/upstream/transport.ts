/** The transports of the SDK for upstream servers, each with what it lacks for calls that take hours. */
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { FetchLike, JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Agent, fetch as undiciFetch } from "undici";
import type { RequestInit as UndiciInit } from "undici";
import type { UpstreamTransport } from "../../domain/upstream.ts";
import { boundedResponse } from "./bounded-response.ts";
import type { LineLimiter } from "./line-limiter.ts";

/** The limit of one message: it is kept in memory while it arrives. A result has 240 KiB at most. */
const MESSAGE_BYTES_MAX = 16 * 1_048_576;

/** The `data` of the error for a response that cannot arrive any more. */
export const STREAM_LOST = { lost: true } as const;
const CONNECTION_CLOSED = -32_000;

export interface OpenTransport {
  readonly transport: Transport;
  /** To be called after the client has closed its transport. */
  close(): Promise<void>;
}

/** `stderr`: gets the stderr of a stdio server. */
export function openTransport(
  upstream: UpstreamTransport,
  stderr: LineLimiter,
  messageBytesMax?: number,
): OpenTransport {
  return upstream.kind === "stdio" ? openStdio(upstream, stderr, messageBytesMax) : openHttp(upstream, messageBytesMax);
}

function openStdio(
  upstream: Extract<UpstreamTransport, { kind: "stdio" }>,
  stderr: LineLimiter,
  maxBufferSize = MESSAGE_BYTES_MAX,
): OpenTransport {
  const { command, args, env, cwd } = upstream;
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    // The SDK adds HOME, PATH and the like. The rest of the environment holds secrets of this server.
    env: { ...env },
    ...(cwd === null ? {} : { cwd }),
    stderr: "pipe",
    maxBufferSize,
  });
  transport.stderr?.on("data", (chunk: Buffer) => stderr.write(chunk.toString()));
  return { transport, close: async () => {} };
}

function openHttp(
  { url, headers }: Extract<UpstreamTransport, { kind: "http" }>,
  messageBytesMax = MESSAGE_BYTES_MAX,
): OpenTransport {
  // By default fetch fails when the headers, or the next part of the body, take five minutes.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  // The fetch of Node has another version of undici, which does not accept this agent.
  const undici = undiciFetch as unknown as (target: string | URL, init: object) => Promise<Response>;
  const fetchBounded = async (target: string | URL, init?: UndiciInit): Promise<Response> => {
    const given = new Headers(init?.headers);
    given.set("accept-encoding", "identity");
    const response = await undici(target, { ...init, headers: Object.fromEntries(given), dispatcher: agent });
    return boundedResponse(response, messageBytesMax);
  };
  const transport = new StreamLossTransport(new URL(url), {
    requestInit: { headers: { ...headers } },
    fetch: fetchBounded as FetchLike,
  });
  return {
    transport,
    async close() {
      await agent.destroy();
    },
  };
}

/** Without it a call waits for its timeout when the stream of its response is lost and cannot be resumed. */
class StreamLossTransport extends StreamableHTTPClientTransport {
  override send(
    message: JSONRPCMessage | JSONRPCMessage[],
    options?: Parameters<StreamableHTTPClientTransport["send"]>[1],
  ): Promise<void> {
    if (Array.isArray(message) || !("method" in message) || !("id" in message)) return super.send(message, options);
    const { id } = message;
    // After the response the client does not know this id, and ignores the error.
    const onRequestStreamEnd = (): void => {
      const error = { code: CONNECTION_CLOSED, message: "The answer broke off", data: STREAM_LOST };
      this.onmessage?.({ jsonrpc: "2.0", id, error });
      options?.onRequestStreamEnd?.();
    };
    return super.send(message, { ...options, onRequestStreamEnd });
  }
}
