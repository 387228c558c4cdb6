/** Requests that tasks make: over the same guard and the same kind of connections as deliveries, and with an answer that is kept. */
import type { Dispatcher } from "undici";
import { onAbort } from "../runtime/abort-fanout.ts";
import type { HttpAnswer, HttpClient } from "../service/ports/http-client.ts";
import { attemptErrorOf } from "./attempt-error.ts";
import { createAgent } from "./sender.ts";
import type { SenderNeeds } from "./sender.ts";
import { createOpenSocket, createPinnedConnect } from "./pinned-connect.ts";

/** Kept of an answer's body; a longer one is cut off. */
export const BODY_BYTES_MAX = 65_536;
/** They have connections of their own, so that they neither wait for deliveries nor hold them up. */
const CONNECTIONS_PER_ORIGIN = 16;
/** For DNS, TCP and TLS together; how long the answer may take is for the task's own timeout to say. */
const CONNECTING_MS_MAX = 15_000;
/** They let whoever reads the result speak for us to that server. */
const SECRET_ANSWER_HEADERS: ReadonlySet<string> = new Set(["set-cookie", "set-cookie2"]);

export type HttpClientNeeds = Pick<SenderNeeds, "guard" | "userAgent" | "ca" | "connect">;

export interface ClosableHttpClient extends HttpClient {
  /** Cuts off what is under way. May be called twice. */
  close(): Promise<void>;
}

export function createHttpClient({ guard, userAgent, ca, connect }: HttpClientNeeds): ClosableHttpClient {
  const closing = new AbortController();
  const open = connect ?? createOpenSocket({ ca, signal: closing.signal });
  const pinned = createPinnedConnect({ guard, open, timeoutMs: CONNECTING_MS_MAX });
  const agent = createAgent(pinned, CONNECTIONS_PER_ORIGIN);
  const ownHeaders = { "accept-encoding": "identity", "user-agent": userAgent };

  return {
    async request({ method, url, headers, body }, signal) {
      signal.throwIfAborted();
      const { origin, pathname, search } = new URL(url);
      const exchange = createAnswerExchange();
      const cancel = (): void => exchange.cancel(signal.reason);
      const stopListening = onAbort(signal, cancel);
      try {
        const request = { origin, path: pathname + search, method, headers: { ...ownHeaders, ...headers }, body };
        agent.dispatch(request, exchange.handler);
        return await exchange.answer;
      } catch (error) {
        const category = signal.aborted ? null : attemptErrorOf(error);
        if (category === null) throw error;
        return category;
      } finally {
        stopListening();
      }
    },
    async close() {
      const closed = agent.destroy();
      closing.abort();
      await closed;
    },
  };
}

function createAnswerExchange() {
  const { promise: answer, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  let controller: Dispatcher.DispatchController | null = null;
  let isOver = false;
  let head: Pick<HttpAnswer, "status" | "headers"> | null = null;
  // Incremental, so that no character that was cut in two is shown.
  const decoder = new TextDecoder();
  let body = "";
  let bytes = 0;

  function end(): void {
    isOver = true;
    if (head === null) reject(new Error("undici ended an answer without a status"));
    else resolve({ ...head, body, isBodyCut: bytes > BODY_BYTES_MAX });
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      // Over before there was a connection: undici keeps the request until there is one, and it must not go out then.
      if (isOver) started.abort(new Error("The request is over"));
    },
    onResponseStart(_, status, headers) {
      // 1xx announces that an answer is to come.
      if (status >= 200) head = { status, headers: shownHeaders(headers) };
    },
    onResponseData(_, chunk) {
      const room = BODY_BYTES_MAX - bytes;
      if (room > 0) body += decoder.decode(chunk.subarray(0, room), { stream: true });
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) return;
      end();
      controller?.abort(new Error("The rest is not wanted"));
    },
    onResponseEnd: end,
    onResponseError(_, error) {
      isOver = true;
      reject(error);
    },
  };
  return {
    answer,
    handler,
    cancel(reason: unknown): void {
      isOver = true;
      reject(reason);
      controller?.abort(new Error("The request is over"));
    },
  };
}

function shownHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const shown = Object.entries(headers).filter(([name]) => !SECRET_ANSWER_HEADERS.has(name.toLowerCase()));
  return Object.fromEntries(shown.map(([name, value = ""]) => [name.toLowerCase(), [value].flat().join(", ")]));
}
