/** Requests that tasks make: through the same guard and the same kind of connections as deliveries; the response is kept. */
import type { Dispatcher } from "undici";
import { onAbort } from "../runtime/abort-listeners.ts";
import type { HttpAnswer, HttpClient } from "../service/ports/http-client.ts";
import { errorCategoryOf } from "./error-category.ts";
import { SenderBusy } from "../service/ports/sender.ts";
import { createAgent, untilLookedUp } from "./sender.ts";
import type { SenderNeeds } from "./sender.ts";
import { createOpenSocket, createPinnedConnect } from "./pinned-connect.ts";

/** A longer response body is cut off. */
export const BODY_BYTES_MAX = 65_536;
/** In a pool of its own, so that tasks and deliveries do not wait for each other. */
const CONNECTIONS_PER_ORIGIN = 16;
/** For DNS, TCP and TLS together. The timeout of the task limits the rest. */
const CONNECT_TIMEOUT_MS = 15_000;
/** With a cookie, a reader of the result could act for us on that server. */
const SECRET_ANSWER_HEADERS: ReadonlySet<string> = new Set(["set-cookie", "set-cookie2"]);

export type HttpClientNeeds = Pick<SenderNeeds, "guard" | "userAgent" | "ca" | "connect">;

export interface ClosableHttpClient extends HttpClient {
  /** Cuts off the requests in flight. May be called twice. */
  close(): Promise<void>;
}

export function createHttpClient({ guard, userAgent, ca, connect }: HttpClientNeeds): ClosableHttpClient {
  const closing = new AbortController();
  const open = connect ?? createOpenSocket({ ca, signal: closing.signal });
  const pinned = createPinnedConnect({ guard, open, timeoutMs: CONNECT_TIMEOUT_MS });
  const agent = createAgent(pinned, CONNECTIONS_PER_ORIGIN);
  const ownHeaders = { "accept-encoding": "identity", "user-agent": userAgent };

  /** A busy look-up is tried again for as long as the task may run: nothing has been sent, and a failed run might not be repeated. */
  async function lookUp(hostname: string, principal: string, signal: AbortSignal): Promise<void> {
    for (let lookup = guard.lookUp(hostname, principal); lookup !== null; lookup = guard.lookUp(hostname, principal)) {
      try {
        return await untilLookedUp(lookup, signal);
      } catch (error) {
        if (!(error instanceof SenderBusy)) throw error;
      }
    }
  }

  return {
    async request({ principal, method, url, headers, body }, signal) {
      signal.throwIfAborted();
      const { hostname, origin, pathname, search } = new URL(url);
      await lookUp(hostname, principal, signal);
      const collector = createAnswerCollector();
      const cancel = (): void => collector.cancel(signal.reason);
      const stopListening = onAbort(signal, cancel);
      try {
        const request = { origin, path: pathname + search, method, headers: { ...ownHeaders, ...headers }, body };
        agent.dispatch(request, collector.handler);
        return await collector.answer;
      } catch (error) {
        const category = signal.aborted ? null : errorCategoryOf(error);
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

function createAnswerCollector() {
  const { promise: answer, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  let controller: Dispatcher.DispatchController | null = null;
  let isOver = false;
  let head: Pick<HttpAnswer, "status" | "headers"> | null = null;
  // Incremental: a character may be split between two chunks.
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
      // Cancelled before there was a connection: undici would send the request as soon as it has one.
      if (isOver) started.abort(new Error("The request is over"));
    },
    onResponseStart(_, status, headers) {
      // After 1xx the response is still to come.
      if (status >= 200) head = { status, headers: shownHeaders(headers) };
    },
    onResponseData(_, chunk) {
      const remaining = BODY_BYTES_MAX - bytes;
      if (remaining > 0) body += decoder.decode(chunk.subarray(0, remaining), { stream: true });
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) return;
      end();
      controller?.abort(new Error("The rest of the body is not read"));
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
