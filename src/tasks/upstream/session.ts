/** One connection to an upstream server, from its start to its end: its process, what it offers, and the calls under way. */
import { Client } from "@modelcontextprotocol/client";
import type { CallToolResult } from "@modelcontextprotocol/client";
import type { Json } from "../../domain/json.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { LineLimiter } from "./line-limiter.ts";
import type { Redactor } from "./redactor.ts";
import { chooseTools } from "./tool.ts";
import type { ChosenTools } from "./tool.ts";
import { openTransport } from "./transport.ts";

/** Starting the process, the handshake and the first list of tools; the first start of an npx command downloads it. */
const START_MS = 60_000;
/** The longest that a timer can wait: how long a call may take is for the task's own timeout to say. */
const NO_TIMEOUT_MS = 2_147_483_647;
const TROUBLE_CHARS_MAX = 300;
/** What went wrong so shortly before an end is its cause. */
const CAUSE_MS = 1000;

export interface SessionNeeds {
  readonly upstream: Upstream;
  readonly version: string;
  readonly redactor: Redactor;
  readonly said: LineLimiter;
  readonly clock: Pick<Clock, "now">;
  /** Of one message over stdio, instead of the usual bound: for tests. */
  readonly messageBytesMax?: number;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  progress(done: number, total: number | null, message?: string): void;
}

export interface Session {
  /** As listed when they were last asked for; asks again after the server has said that they changed. */
  chosen(signal: AbortSignal): Promise<ChosenTools>;
  call(tool: string, input: Record<string, Json>, options: CallOptions): Promise<CallToolResult>;
  /** Resolves with the reason when it is over, whoever ended it. */
  readonly ended: Promise<string>;
  /** Ends the process, and every call with it; may be called twice. */
  close(): Promise<void>;
  /** As `close`, once no call is under way: others may still get their answers. */
  retire(): void;
}

/** Rejects when the server cannot be started, reached or understood; nothing of it is left then. */
export async function openSession(needs: SessionNeeds): Promise<Session> {
  const { upstream, version, redactor, said, clock, signal, messageBytesMax } = needs;
  const { transport, close: closeTransport } = openTransport(upstream.way, said, messageBytesMax);
  // Over HTTP the newest protocol is asked for. Over stdio that would take a second process, or a server that is silent for long.
  const versionNegotiation = { mode: upstream.way.kind === "http" ? ("auto" as const) : ("legacy" as const) };
  const client = new Client({ name: "mcp-callbacks", version }, { versionNegotiation });
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  let trouble = { text: "", at: -Infinity };
  Object.assign(client, {
    onerror(error: Error) {
      trouble = { text: redactor.text(error.message).slice(0, TROUBLE_CHARS_MAX), at: clock.now() };
      said.line(trouble.text);
    },
    onclose: () => end(clock.now() - trouble.at < CAUSE_MS ? trouble.text : "its connection was closed"),
  });
  const starting = { signal, timeout: START_MS };

  async function listed(options: typeof starting): Promise<ChosenTools> {
    // The SDK would say on our stdout that there are none.
    if (client.getServerCapabilities()?.tools === undefined) throw new Error("it has no tools");
    const { tools } = await client.listTools(undefined, { ...options, cacheMode: "refresh" });
    return chooseTools(upstream, tools, redactor);
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
    let chosen = await listed(starting);
    return {
      ended,
      close,
      ...createCalls(client, close),
      async chosen(wanted) {
        if (isStale) chosen = await listed({ signal: wanted, timeout: START_MS });
        isStale = false;
        return chosen;
      },
    };
  } catch (error) {
    await transport.close();
    await close();
    throw error;
  }
}

function createCalls(client: Client, close: () => Promise<void>): Pick<Session, "call" | "retire"> {
  let underWay = 0;
  let isRetired = false;

  function closeIfDone(): void {
    // Whatever fails when a connection is closed, it is of no use any more.
    if (isRetired && underWay === 0) close().catch(() => {});
  }

  return {
    async call(name, input, { signal, progress }) {
      underWay++;
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
        underWay--;
        closeIfDone();
      }
    },
    retire() {
      isRetired = true;
      closeIfDone();
    },
  };
}
