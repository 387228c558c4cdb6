/** How upstream servers are reached: by the SDK's transports, each with what it lacks for calls that take hours. */
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { FetchLike, JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Agent, fetch as undiciFetch } from "undici";
import type { RequestInit as UndiciInit } from "undici";
import type { UpstreamWay } from "../../domain/upstream.ts";
import type { LineLimiter } from "./line-limiter.ts";

/** One message over stdio. It is kept in memory while it arrives, for a result of which we take 240 KiB. */
const MESSAGE_BYTES_MAX = 16 * 1_048_576;

/** The `data` of the error that stands for an answer which cannot come any more. */
export const STREAM_LOST = { lost: true } as const;
const CONNECTION_CLOSED = -32_000;

export interface OpenTransport {
  readonly transport: Transport;
  /** When the client has closed its transport. */
  close(): Promise<void>;
}

/** `stderr`: gets what the process of a stdio server writes there. */
export function openTransport(way: UpstreamWay, stderr: LineLimiter, messageBytesMax?: number): OpenTransport {
  return way.kind === "stdio" ? openStdio(way, stderr, messageBytesMax) : openHttp(way);
}

function openStdio(
  way: Extract<UpstreamWay, { kind: "stdio" }>,
  stderr: LineLimiter,
  maxBufferSize = MESSAGE_BYTES_MAX,
): OpenTransport {
  const { command, args, env, cwd } = way;
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    // Beside these it gets HOME, PATH and the like, and nothing else of our environment, which holds our own secrets.
    env: { ...env },
    ...(cwd === null ? {} : { cwd }),
    stderr: "pipe",
    maxBufferSize,
  });
  transport.stderr?.on("data", (chunk: Buffer) => stderr.write(chunk.toString()));
  return { transport, close: async () => {} };
}

function openHttp({ url, headers }: Extract<UpstreamWay, { kind: "http" }>): OpenTransport {
  // fetch would give up an answer that has not begun, or says nothing, for five minutes.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  // Node's own fetch belongs to another version of undici and does not take this one's agents. To the SDK they are the same.
  const patientFetch = ((target: string | URL, init?: UndiciInit) =>
    undiciFetch(target, { ...init, dispatcher: agent })) as unknown as FetchLike;
  const transport = new LossNoticingTransport(new URL(url), {
    requestInit: { headers: { ...headers } },
    fetch: patientFetch,
  });
  return {
    transport,
    async close() {
      await agent.destroy();
    },
  };
}

/** The SDK leaves a call waiting for its timeout when the stream of its answer has broken off and cannot be taken up again. */
class LossNoticingTransport extends StreamableHTTPClientTransport {
  override send(
    message: JSONRPCMessage | JSONRPCMessage[],
    options?: Parameters<StreamableHTTPClientTransport["send"]>[1],
  ): Promise<void> {
    if (Array.isArray(message) || !("method" in message) || !("id" in message)) return super.send(message, options);
    const { id } = message;
    // After its answer, it is unknown to the client and passed over.
    const onRequestStreamEnd = (): void => {
      const error = { code: CONNECTION_CLOSED, message: "The answer broke off", data: STREAM_LOST };
      this.onmessage?.({ jsonrpc: "2.0", id, error });
      options?.onRequestStreamEnd?.();
    };
    return super.send(message, { ...options, onRequestStreamEnd });
  }
}
