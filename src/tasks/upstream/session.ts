/** One session with an upstream server, from its start to its end: its process, its tools and the calls in progress. */
import { Client } from "@modelcontextprotocol/client";
import type { CallToolResult } from "@modelcontextprotocol/client";
import type { Json } from "../../domain/json.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { LineLimiter } from "./line-limiter.ts";
import type { Redactor } from "./redactor.ts";
import { createResultValidator } from "./schema-validator.ts";
import { offeredTools } from "./tool.ts";
import type { OfferedTools } from "./tool.ts";
import { openTransport } from "./transport.ts";

/** For the process, the handshake and the first list of tools. The first start of an npx command downloads it. */
const START_TIMEOUT_MS = 60_000;
/** The longest wait of a timer: the timeout of the task limits a call. */
const NO_TIMEOUT_MS = 2_147_483_647;
const PROBLEM_CHARS_MAX = 300;
/** An error this shortly before the end of a session is its cause. */
const CAUSE_WITHIN_MS = 1000;

export interface SessionNeeds {
  readonly upstream: Upstream;
  readonly version: string;
  readonly redactor: Redactor;
  readonly log: LineLimiter;
  readonly clock: Pick<Clock, "now">;
  /** The limit of one message, in tests. */
  readonly messageBytesMax?: number;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  progress(done: number, total: number | null, message?: string): void;
}

export interface Session {
  /** From the last list; lists again after the server has notified a change. */
  tools(signal: AbortSignal): Promise<OfferedTools>;
  call(tool: string, input: Record<string, Json>, options: CallOptions): Promise<CallToolResult>;
  /** Resolves with the reason when the session has ended. */
  readonly ended: Promise<string>;
  /** Ends the process and every call. May be called twice. */
  close(): Promise<void>;
  /** As `close`, after the last call in progress. */
  retire(): void;
}

/** Rejects when the server cannot be started, reached or understood; its process has ended then. */
export async function openSession(needs: SessionNeeds): Promise<Session> {
  const { upstream, version, redactor, log, clock, signal, messageBytesMax } = needs;
  const { transport, close: closeTransport } = openTransport(upstream.transport, log, messageBytesMax);
  // Over HTTP the newest protocol version is negotiated. Over stdio that takes a second process, or a long timeout for some servers.
  const versionNegotiation = { mode: upstream.transport.kind === "http" ? ("auto" as const) : ("legacy" as const) };
  const client = new Client(
    { name: "mcp-callbacks", version },
    { versionNegotiation, jsonSchemaValidator: createResultValidator() },
  );
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  let problem = { text: "", at: -Infinity };
  Object.assign(client, {
    onerror(error: Error) {
      problem = { text: redactor.text(error.message).slice(0, PROBLEM_CHARS_MAX), at: clock.now() };
      log.line(problem.text);
    },
    onclose: () => end(clock.now() - problem.at < CAUSE_WITHIN_MS ? problem.text : "its connection was closed"),
  });
  const starting = { signal, timeout: START_TIMEOUT_MS };

  async function listTools(options: typeof starting): Promise<OfferedTools> {
    // Otherwise the SDK writes to stdout that there are none.
    if (client.getServerCapabilities()?.tools === undefined) throw new Error("it has no tools");
    const { tools } = await client.listTools(undefined, { ...options, cacheMode: "refresh" });
    return offeredTools(upstream, tools, redactor);
  }

  async function close(): Promise<void> {
    await client.close();
    await closeTransport();
  }

  let isStale = false;
  client.setNotificationHandler("notifications/tools/list_changed", () => {
    isStale = true;
  });
  try {
    await client.connect(transport, starting);
    let offered = await listTools(starting);
    return {
      ended,
      close,
      ...createCalls(client, close),
      async tools(cancelled) {
        if (isStale) offered = await listTools({ signal: cancelled, timeout: START_TIMEOUT_MS });
        isStale = false;
        return offered;
      },
    };
  } catch (error) {
    await transport.close();
    await close();
    throw error;
  }
}

function createCalls(client: Client, close: () => Promise<void>): Pick<Session, "call" | "retire"> {
  let callsInProgress = 0;
  let isRetired = false;

  function closeIfIdle(): void {
    // An error during the close changes nothing: the session is not used again.
    if (isRetired && callsInProgress === 0) close().catch(() => {});
  }

  return {
    async call(name, input, { signal, progress }) {
      callsInProgress++;
      try {
        return await client.callTool(
          { name, arguments: input },
          {
            signal,
            timeout: NO_TIMEOUT_MS,
            resetTimeoutOnProgress: true,
            onprogress: ({ progress: done, total, message }) => progress(done, total ?? null, message),
          },
        );
      } finally {
        callsInProgress--;
        closeIfIdle();
      }
    },
    retire() {
      isRetired = true;
      closeIfIdle();
    },
  };
}
